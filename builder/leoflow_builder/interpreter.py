"""Runs the image's Python on this host, without root and without a container.

Nothing of the host's environment, site-packages or settings reaches the process, except what the
caller hands over. It is no sandbox: the code can read and write what the user can.
"""

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol

from leoflow_builder.bounded_process import run_bounded
from leoflow_builder.scratch import scratch_folder

PATH_INSIDE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOADERS = {
    "x86_64": "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    "aarch64": "usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
}
# Beside a root file system: its loader without the folders of libraries that every host has too.
LOADER = "loader"


class Interpreter(Protocol):
    """A Python of the image's minor version that can be run here."""

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
        """Run `python ARGS` and return what it wrote and its exit code.

        `path` are folders of installed packages: they come after the standard library and their
        .pth files count, as on the image's site path. Options that isolate (-I, -E, -s, -S)
        switch it off. After `timeout_seconds` the whole process group is killed and
        `subprocess.TimeoutExpired` raised, with the output so far.
        """
        ...


class RootfsInterpreter:
    """The Python of an unpacked root file system, started through that system's own loader.

    ``overlays`` are trees of system layers, whose libraries are found as in the image.
    """

    def __init__(self, rootfs: Path, overlays: Sequence[Path] = ()) -> None:
        self.rootfs = rootfs.absolute()
        self._overlays = [tree.absolute() for tree in overlays]
        self._program = _program_in(self.rootfs)

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
            site = home / "lib" / self._program.name / "site-packages"
            _write_site_path(site, path)
            environment = {**_environment(str(home)), **self._settings(str(home)), **(env or {})}
            command = [*self._command(), *args]
            return run_bounded(command, stdin, environment, cwd or home, timeout_seconds)

    def _command(self) -> list[str]:
        triplet = f"{platform.machine()}-linux-gnu"
        roots = [self.rootfs, *self._overlays]
        libraries = ":".join(str(root / "usr/lib" / triplet) for root in roots)
        loader = self.rootfs.with_name(LOADER)
        if not loader.exists():
            loader = self.rootfs / LOADERS[platform.machine()]
        return [str(loader), "--inhibit-cache", "--library-path", libraries, str(self._program)]

    def _settings(self, home: str) -> dict[str, str]:
        return {
            "PYTHONHOME": str(self.rootfs / "usr"),
            "PYTHONUSERBASE": home,
            "PYTHONTZPATH": str(self.rootfs / "usr/share/zoneinfo"),
            "LOCPATH": str(self.rootfs / "usr/lib/locale"),
            "SSL_CERT_FILE": str(self.rootfs / "etc/ssl/certs/ca-certificates.crt"),
        }


class HostInterpreter:
    """The host's own Python of the same minor version, without what is installed for it."""

    def __init__(self, python: Path) -> None:
        self.python = python.resolve()
        if not self.python.name.startswith("python3."):
            raise ValueError(f"'{python}' does not lead to a pythonX.Y. Name the program itself")

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
        with _empty_environment(self.python, path) as home:
            environment = {**_environment(str(home)), **(env or {})}
            command = [str(home / "bin" / "python"), *args]
            return run_bounded(command, stdin, environment, cwd or home, timeout_seconds)


def write_loader(rootfs: Path) -> None:
    """Write beside a root file system a loader that never looks into the host's own folders.

    glibc has no option for it, and a library that only the host has would hide that the image
    lacks it. The folders' names in the loader get a first letter that no host has.
    """
    content = (rootfs / LOADERS[platform.machine()]).read_bytes()
    triplet = f"{platform.machine()}-linux-gnu".encode()
    known = b"/lib/%b/\0/usr/lib/%b/\0/lib/\0/usr/lib/\0" % (triplet, triplet)
    if known in content:
        hidden = known.replace(b"/lib/", b"/\x01ib/").replace(b"/usr/", b"/\x01sr/")
        loader = rootfs.with_name(LOADER)
        loader.write_bytes(content.replace(known, hidden))
        loader.chmod(0o755)


@contextmanager
def _empty_environment(python: Path, path: Sequence[Path]) -> Iterator[Path]:
    """Make a virtual environment, so that the host's site-packages are out of sight."""
    with scratch_folder("leoflow-python-") as home:
        settings = f"home = {python.parent}\ninclude-system-site-packages = false\n"
        (home / "pyvenv.cfg").write_text(settings, encoding="utf-8")
        (home / "bin").mkdir()
        (home / "bin" / "python").symlink_to(python)
        _write_site_path(home / "lib" / python.name / "site-packages", path)
        yield home


def _program_in(rootfs: Path) -> Path:
    if platform.machine() not in LOADERS or not (rootfs / LOADERS[platform.machine()]).exists():
        raise ValueError(
            f"'{rootfs}' holds no program loader for this machine, '{platform.machine()}'. "
            "Use a base image of this architecture"
        )
    found = sorted((rootfs / "usr/bin").glob("python3.[0-9]*"))
    if not found:
        raise ValueError(f"'{rootfs}' holds no usr/bin/python3.N. Use a base image with CPython")
    return found[-1]


def _write_site_path(site: Path, path: Sequence[Path]) -> None:
    site.mkdir(parents=True)
    lines = [f"import site; site.addsitedir({str(entry.absolute())!r})" for entry in path]
    (site / "leoflow.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _environment(home: str) -> dict[str, str]:
    return {
        "HOME": home,
        "LANG": "C.UTF-8",
        "PATH": PATH_INSIDE,
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": "UTC",
    }
