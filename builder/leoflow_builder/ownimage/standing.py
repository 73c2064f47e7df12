"""Looks into a kept image: which Python is in it, run on this host or, failing that, in a
container.

It refuses what cannot run a project, before anything is built.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leoflow_builder.failure import BuildError, EngineError
from leoflow_builder.interpreter import PATH_INSIDE, Interpreter
from leoflow_builder.oci.engine_images import EngineImages
from leoflow_builder.oci.layout import Bundle, make_archive
from leoflow_builder.ownimage.containerpython import ContainerInterpreter
from leoflow_builder.ownimage.elf import read_program
from leoflow_builder.ownimage.finding import Found
from leoflow_builder.ownimage.insidepath import inside
from leoflow_builder.ownimage.keeping import KeptImage
from leoflow_builder.ownimage.probe import PROBE, Facts, no_glibc, read_facts, refusal
from leoflow_builder.ownimage.rootpython import (
    CannotRunHere,
    FoundPython,
    RootPython,
    find_python,
)
from leoflow_builder.ownimage.unpacked import UnpackedImage

PROBE_SECONDS = 120.0
_SAID = 600


class OwnBaseError(BuildError):
    """The image of the user's own cannot be a base; the text says why and what to do."""


@dataclass(frozen=True)
class Standing:
    """What a project can stand on: facts about an image and its Python, which can be run."""

    facts: Facts
    interpreter: Interpreter


@dataclass(frozen=True)
class Look:
    """What looking takes. ``what`` names the image in messages, ``folders`` are those of the host
    that its Python has to see, ``images`` opens the engine if there is no way without."""

    what: str
    python_minor: str
    folders: Sequence[Path]
    images: Callable[[], EngineImages]


def look_into(found: Found, unpacked: UnpackedImage, look: Look) -> Standing:
    """Return what is in an image; OwnBaseError if it cannot run a project for a Python version."""
    python = find_python(unpacked.root, _path_of(found.kept), look.python_minor)
    if python is None:
        raise OwnBaseError(
            f"{look.what} has no Python on its PATH, '{_path_of(found.kept)}'. "
            f"Choose an image with CPython {look.python_minor}"
        )
    _refuse_musl(unpacked.root, python, look)
    try:
        standing = _here(found.kept, unpacked.root, python, look)
    except CannotRunHere as reason:
        standing = _in_container(found, reason, look)
    problem = refusal(look.what, look.python_minor, standing.facts)
    if problem:
        raise OwnBaseError(problem)
    return standing


def _path_of(kept: KeptImage) -> str:
    return kept.config.environment.get("PATH") or PATH_INSIDE


def _refuse_musl(root: Path, python: FoundPython, look: Look) -> None:
    program = read_program(inside(root, python.real))
    if program is not None and "ld-musl" in (program.loader or ""):
        raise OwnBaseError(no_glibc(look.what))


def _here(kept: KeptImage, root: Path, python: FoundPython, look: Look) -> Standing:
    variables = kept.config.environment
    bare = RootPython(root, python, _minor_of(python, look.python_minor), variables)
    facts = _located(_probe(bare), root, python)
    sites = [one for one in facts.sites if python.venv and one.startswith(f"{python.venv}/")]
    if not sites:
        return Standing(facts, bare)
    return Standing(facts, RootPython(root, python, look.python_minor, variables, sites))


def _minor_of(python: FoundPython, wanted: str) -> str:
    """Return the version in the program's name: a wrong one is refused by what the probe says."""
    name = python.real.rpartition("/")[2].removeprefix("python")
    return name if name.startswith("3.") and name[2:].isdigit() else wanted


def _probe(interpreter: RootPython) -> Facts:
    try:
        done = interpreter.run(["-c", PROBE], timeout_seconds=PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRunHere(f"its Python does not start here: {error}") from None
    try:
        return read_facts(done.stdout)
    except (ValueError, TypeError, KeyError):
        said = done.stderr.decode(errors="replace").strip()[-_SAID:]
        raise CannotRunHere(f"its Python does not start here: {said}") from None


def _located(facts: Facts, root: Path, python: FoundPython) -> Facts:
    """Return facts with paths as they are inside of the image."""
    sites = [one.removeprefix(str(root)) for one in facts.sites]
    if python.venv is not None:
        minor = ".".join(facts.python_version.split(".")[:2])
        own = f"{python.venv}/lib/python{minor}/site-packages"
        sites = [own, *(sites if _sees_system(root, python.venv) else [])]
    has_pth = any(any(inside(root, one).glob("*.pth")) for one in sites)
    shells = (f"{place}/bash" for place in ("/bin", "/usr/bin", "/usr/local/bin"))
    return replace(
        facts,
        python=python.real if python.venv is None else python.seen,
        sites=tuple(dict.fromkeys(sites)),
        has_pth=has_pth,
        bash=any(inside(root, one).is_file() for one in shells),
    )


def _sees_system(root: Path, venv: str) -> bool:
    text = inside(root, f"{venv}/pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    pairs = (line.partition("=") for line in text.lower().splitlines())
    return ("include-system-site-packages", "true") in {(k.strip(), v.strip()) for k, _, v in pairs}


def _in_container(found: Found, reason: CannotRunHere, look: Look) -> Standing:
    try:
        images = look.images()
        images.require()
        name = ensure_in_engine(found, images)
    except EngineError as error:
        raise OwnBaseError(
            f"{look.what} cannot be looked into on this host: {reason}. In a container it could, "
            f"but {error}"
        ) from None
    said = ""
    for python in (f"python{look.python_minor}", "python3", "python"):
        interpreter = ContainerInterpreter(name, python, look.python_minor)
        done = interpreter.run(["-c", PROBE], timeout_seconds=PROBE_SECONDS)
        if done.returncode == 0:
            facts = read_facts(done.stdout)
            return Standing(
                facts, ContainerInterpreter(name, facts.python, look.python_minor, look.folders)
            )
        said = done.stderr.decode(errors="replace").strip() or said
    raise OwnBaseError(
        f"{look.what} has a Python that does not start: {reason}. Choose an image with CPython "
        f"{look.python_minor}. The engine says:\n{said[-_SAID:]}"
    )


def ensure_in_engine(found: Found, images: EngineImages) -> str:
    """Return a name by which an engine has an image; it is loaded if it is not there."""
    if found.engine_id is not None and images.find(found.engine_id) is not None:
        return found.engine_id
    name = engine_name(found.kept.digest)
    if images.find(name) is None:
        images.load(make_archive(Bundle(name, (found.kept.image,))))
    return name


def engine_name(digest: str) -> str:
    """Return the name that an image of others has in an engine if leoflow put it there."""
    return f"leoflow/own-base:{digest.rpartition(':')[2][:24]}"
