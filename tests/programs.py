"""The real programs that tests need beside an engine, out of the distribution's packages.

It starts no service and leaves apt's own lists, sources and preferences as they are.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.debian import Apt, services_stay_down
from engine.report import EngineUnavailable, say

PACKAGES = {
    "docker-registry": "docker-registry",
    "openssl": "openssl",
    "skopeo": "skopeo",
    "umoci": "umoci",
}
LOCK_WAIT = "-oDPkg::Lock::Timeout=300"


class ProgramMissing(Exception):
    """A program is not here and cannot be installed; the text says what to do."""


def require_program(name: str) -> Path:
    """Return where a program is, after installing its package if need be and possible."""
    found = shutil.which(name)
    if found is None:
        _install(name)
        found = shutil.which(name)
    if found is None:
        raise ProgramMissing(f"the package '{PACKAGES[name]}' was installed and brings no '{name}'")
    return Path(found)


def _install(name: str) -> None:
    package = PACKAGES[name]
    advice = f"this test needs the program '{name}'. Install the package '{package}'"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ProgramMissing(f"{advice} (as root, with apt-get, the test would do it)")
    try:
        with _one_at_a_time():
            if shutil.which(name) is None:
                _install_package(package)
    except EngineUnavailable as error:
        raise ProgramMissing(f"{advice}: {error}") from error


def _install_package(package: str) -> None:
    with tempfile.TemporaryDirectory(prefix="leoflow-apt-") as folder, services_stay_down():
        apt = Apt.copied_to(Path(folder))
        say(f"installing {package}")
        apt.run("update")
        apt.run("install", LOCK_WAIT, "--yes", "--no-install-recommends", package)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with Path(tempfile.gettempdir(), "leoflow-test-programs.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
