"""Takes exact wheels out of files that other tools have locked: pylock.toml (PEP 751) and uv.lock.

Nothing is resolved here, and no index is asked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.pylock import (
    Package,
    PackageSdist,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockUnsupportedVersionError,
    PylockValidationError,
)
from packaging.utils import canonicalize_name

from leoflow_builder.lock import LockedPackage
from leoflow_builder.problem import Problem, ProjectError
from leoflow_builder.target import Target, compatible_tags, marker_environment
from leoflow_builder.uvtool import run_uv

_INTO_LEOFLOW = "Make the file anew with the tool that wrote it"


def read_pylock(path: Path, name: str, target: Target) -> Sequence[LockedPackage]:
    """Return the wheels that a pylock.toml has for a target; ProjectError if it has none for it."""
    try:
        text = path.read_text(encoding="utf-8")
        return select(tomllib.loads(text), name, target)
    except tomllib.TOMLDecodeError as error:
        raise _bad(name, f"is not TOML: {error}") from None


def read_uvlock(path: Path, name: str, target: Target) -> Sequence[LockedPackage]:
    """Return the wheels that a uv.lock has for a target, without groups for development."""
    arguments = ["export", "--frozen", "--no-dev", "--no-emit-project", "--format", "pylock.toml"]
    arguments += ["--no-header", "--quiet", "--no-python-downloads"]
    done = run_uv([*arguments, "--project", str(path.parent)], {})
    if done.returncode != 0:
        said = done.stderr.strip().removeprefix("error: ")
        raise _bad(name, f"cannot be read by uv: {said}")
    return select(tomllib.loads(done.stdout), name, target)


def select(document: dict[str, Any], name: str, target: Target) -> list[LockedPackage]:
    """Return what a document as PEP 751 has it installs on a target; ``name`` is the file's."""
    try:
        selected = Pylock.from_dict(document).select(
            environment=marker_environment(target),  # type: ignore[arg-type]
            tags=compatible_tags(target),
        )
        found = list(selected)
    except PylockUnsupportedVersionError as error:
        raise _bad(name, f"is of a version that leoflow does not know: {error}") from None
    except PylockValidationError as error:
        raise _bad(name, f"is no lock file as PEP 751 has it: {error}") from None
    except PylockSelectError as error:
        message = f"it has nothing to install for {_spoken(target)}: {error}"
        raise ProjectError([Problem(name, None, message)]) from None
    refused = [_refusal(package, artifact, name, target) for package, artifact in found]
    problems = [one for one in refused if one is not None]
    if problems:
        raise ProjectError(problems)
    return sorted(_package(package, wheel) for package, wheel in found)  # type: ignore[arg-type]


def _package(package: Package, wheel: PackageWheel) -> LockedPackage:
    version = str(package.version or wheel.filename.split("-")[1])
    name = canonicalize_name(package.name)
    return LockedPackage(name, version, wheel.filename, wheel.hashes["sha256"])


def _refusal(package: Package, artifact: object, name: str, target: Target) -> Problem | None:
    spoken = f"'{package.name}'"
    if isinstance(artifact, PackageWheel):
        if "sha256" in artifact.hashes:
            return None
        return Problem(name, None, f"{spoken} has no hash by sha256 in it. {_INTO_LEOFLOW}")
    if isinstance(artifact, PackageSdist):
        message = (
            f"no wheel of {spoken} in it fits {_spoken(target)}, and leoflow installs wheels only. "
            "Choose a version that has one, and make the file anew"
        )
        return Problem(name, None, message)
    message = (
        f"{spoken} is from a folder, an archive or a repository, and leoflow installs wheels of an "
        "index only. Publish a wheel of it, or put its code into the project"
    )
    return Problem(name, None, message)


def _spoken(target: Target) -> str:
    return f"Python {target.python_minor} on {target.platform} with glibc {target.glibc}"


def _bad(name: str, what: str) -> ProjectError:
    return ProjectError([Problem(name, None, f"the file {what}. {_INTO_LEOFLOW}")])
