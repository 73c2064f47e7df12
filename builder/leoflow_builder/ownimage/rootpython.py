"""Finds the Python of an unpacked image, and runs it on this host through the image's own loader.

It takes neither root nor an engine, and is no sandbox: the image's programs run as the user.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from leoflow_builder.bounded_process import run_bounded
from leoflow_builder.interpreter import PATH_INSIDE
from leoflow_builder.ownimage.elf import read_program
from leoflow_builder.ownimage.insidepath import inside
from leoflow_builder.ownimage.pythonhome import plain_environment, write_user_site
from leoflow_builder.scratch import scratch_folder

# Where ld.so looks beside what is configured; the triplet is Debian's way.
_LIBRARY_FOLDERS = ("lib/{0}", "usr/lib/{0}", "lib64", "usr/lib64", "lib", "usr/lib")
_CERTIFICATES = ("etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt")
# Those of the image that would mean something else to a process on this host.
_NOT_PASSED = ("PATH", "HOME", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONSTARTUP")
_LOADER_VARIABLES = "LD_"


class CannotRunHere(Exception):
    """This host cannot start the image's Python; perhaps a container can. The text says why."""


@dataclass(frozen=True)
class FoundPython:
    """A Python on an image's PATH. ``seen`` is the path by which it is found and ``real`` where
    links lead, both inside the image; ``venv`` is the virtual environment that it is of."""

    seen: str
    real: str
    venv: str | None


def find_python(root: Path, path: str, python_minor: str) -> FoundPython | None:
    """Return the Python that a container would start: of the minor version if there is one.

    ``path`` is the image's PATH.
    """
    for name in (f"python{python_minor}", "python3", "python"):
        for folder in path.split(":"):
            program = inside(root, f"{folder}/{name}")
            if folder and program.is_file() and program.stat().st_mode & 0o111:
                seen = f"/{folder.strip('/')}/{name}"
                return FoundPython(seen, as_inside(root, program), _venv_of(root, folder))
    return None


def as_inside(root: Path, path: Path) -> str:
    """Return what the image calls a path below its root."""
    return f"/{path.relative_to(root).as_posix()}"


def _venv_of(root: Path, folder: str) -> str | None:
    # PEP 405: the file is one folder above the program, or beside it.
    above = folder.rstrip("/").rpartition("/")[0]
    places = [above, folder.rstrip("/")]
    return next((one for one in places if inside(root, f"{one}/pyvenv.cfg").is_file()), None)


class RootPython:
    """The Python of an unpacked image. CannotRunHere if this host cannot start it.

    ``variables`` are those of the image; ``sites`` further folders of packages inside of it.
    """

    def __init__(
        self,
        root: Path,
        found: FoundPython,
        python_minor: str,
        variables: Mapping[str, str],
        sites: Sequence[str] = (),
    ) -> None:
        self.root = root
        self._program = inside(root, found.real)
        self._minor = python_minor
        self._variables = variables
        self._sites = [inside(root, one) for one in sites]
        self._loader = _loader_of(root, self._program)
        self._prefix = _prefix_of(self._program, python_minor)

    def run(
        self,
        args: Sequence[str],
        *,
        path: Sequence[Path] = (),
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_seconds: float,
    ) -> CompletedProcess[bytes]:
        """Run `python ARGS`; see `Interpreter.run`."""
        with scratch_folder("leoflow-python-") as home:
            write_user_site(home, self._minor, [*self._sites, *path])
            environment = {**self._inherited(), **plain_environment(home), **self._settings()}
            command = [*self._command(), *args]
            return run_bounded(
                command, stdin, {**environment, **(env or {})}, cwd or home, timeout_seconds
            )

    def _command(self) -> list[str]:
        libraries = ":".join(str(one) for one in self._library_folders())
        loader = [str(self._loader), "--inhibit-cache", "--library-path", libraries]
        return [*loader, str(self._program)]

    def _library_folders(self) -> list[Path]:
        named = self._variables.get("LD_LIBRARY_PATH", "").split(":")
        triplet = f"{platform.machine()}-linux-gnu"
        named += [as_inside(self.root, self._prefix / "lib"), *_configured(self.root)]
        named += [one.format(triplet) for one in _LIBRARY_FOLDERS]
        found = (inside(self.root, one) for one in named if one)
        return [one for one in dict.fromkeys(found) if one.is_dir()]

    def _inherited(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self._variables.items()
            if name not in _NOT_PASSED and not name.startswith(_LOADER_VARIABLES)
        }

    def _settings(self) -> dict[str, str]:
        places = {
            "PYTHONHOME": self._prefix,
            "PYTHONTZPATH": inside(self.root, "usr/share/zoneinfo"),
            "LOCPATH": inside(self.root, "usr/lib/locale"),
        }
        certificates = (inside(self.root, one) for one in _CERTIFICATES)
        places |= [("SSL_CERT_FILE", one) for one in certificates if one.is_file()][:1]
        return {"PATH": PATH_INSIDE} | {k: str(v) for k, v in places.items() if v.exists()}


def _prefix_of(program: Path, python_minor: str) -> Path:
    prefix = program.parent.parent
    # Fedora has the standard library in lib64.
    landmarks = [prefix / one / f"python{python_minor}" / "os.py" for one in ("lib", "lib64")]
    if not any(one.is_file() for one in landmarks):
        raise CannotRunHere(
            f"its standard library is not at '{prefix.name}/lib/python{python_minor}'"
        )
    return prefix


def _loader_of(root: Path, program: Path) -> Path:
    found = read_program(program)
    if found is None or found.loader is None:
        raise CannotRunHere("its Python is a script, or is linked in an unusual way")
    if found.machine != platform.machine():
        raise CannotRunHere(f"it is for '{found.machine}', and this machine is another")
    loader = inside(root, found.loader)
    if not loader.is_file():
        raise CannotRunHere(f"its loader '{found.loader}' is missing in it")
    return loader


def _configured(root: Path) -> Iterator[str]:
    """Give the folders that etc/ld.so.conf and what it includes name."""
    yield from _folders_in(root, inside(root, "etc/ld.so.conf"), depth=4)


def _folders_in(root: Path, file: Path, depth: int) -> Iterator[str]:
    if not file.is_file() or not depth:
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        said = line.partition("#")[0].strip()
        if not said.startswith("include "):
            yield said
            continue
        folder, _, pattern = said.removeprefix("include ").strip().rpartition("/")
        place = inside(root, folder if folder.startswith("/") else f"etc/{folder}")
        for one in sorted(place.glob(pattern)) if pattern else ():
            yield from _folders_in(root, inside(root, as_inside(root, one)), depth - 1)
