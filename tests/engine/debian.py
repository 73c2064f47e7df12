"""Installs Docker's engine and buildx out of the machine's own Debian or Ubuntu mirror.

The machine's package lists, sources and preferences are never written: apt works on copies in a
temporary folder, to which a newer suite is added where the machine's own is too old.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.report import EngineUnavailable, say

NEWER_SUITE = "trixie"
OLDEST_MAJOR = 26
FROM_NEWER_SUITE = ("docker.io", "docker-cli", "docker-buildx")
SERVICE_POLICY = Path("/usr/sbin/policy-rc.d")
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT = Path("/etc/apt")


def require_root() -> None:
    """Refuse to go on as a user who can neither install nor start an engine."""
    if os.geteuid() != 0:
        raise EngineUnavailable("no Docker engine with buildx answers, and only root can start one")


def install_engine() -> None:
    """Install what a private engine needs, unless it is there."""
    if _engine_is_installed():
        return
    _require_apt()
    with tempfile.TemporaryDirectory(prefix="leoflow-apt-") as folder:
        apt = Apt.copied_to(Path(folder))
        say("reading the package lists")
        apt.run("update")
        if not _is_new_enough(apt.candidate("docker.io")) or not apt.candidate("docker-buildx"):
            _add_newer_suite(apt)
        _install(apt)


@dataclass(frozen=True)
class Apt:
    """apt on a copy of the machine's configuration, with package lists of its own."""

    folder: Path

    @classmethod
    def copied_to(cls, folder: Path) -> "Apt":
        folder.chmod(0o755)
        for parts in ("sources.list.d", "preferences.d"):
            if (APT / parts).is_dir():
                shutil.copytree(APT / parts, folder / parts)
            (folder / parts).mkdir(exist_ok=True)
        (folder / "lists" / "partial").mkdir(parents=True)
        return cls(folder)

    @property
    def options(self) -> list[str]:
        places = {
            "Dir::Etc::SourceParts": "sources.list.d",
            "Dir::Etc::PreferencesParts": "preferences.d",
            "Dir::State::lists": "lists",
        }
        return [f"-o{option}={self.folder / place}" for option, place in places.items()]

    def run(self, *arguments: str, program: str = "apt-get") -> str:
        command = [program, *self.options, *arguments]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).splitlines()[-15:]
            raise EngineUnavailable("\n".join([f"{program} {arguments[0]} failed:", *lines]))
        return done.stdout

    def candidate(self, package: str) -> str:
        """Return the version that apt would install, or an empty string."""
        policy = self.run("policy", package, program="apt-cache")
        found = re.search(r"Candidate: (\S+)", policy)
        return found[1] if found and found[1] != "(none)" else ""


def _engine_is_installed() -> bool:
    dockerd = shutil.which("dockerd")
    if dockerd is None or shutil.which("containerd") is None:
        return False
    version = subprocess.run([dockerd, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"version (\d+\S*)", version)
    return found is not None and _is_new_enough(found[1]) and _buildx_is_installed()


def _buildx_is_installed() -> bool:
    places = ("/usr/libexec", "/usr/lib", "/usr/local/libexec", "/usr/local/lib")
    return any(Path(place, "docker/cli-plugins/docker-buildx").exists() for place in places)


def _is_new_enough(version: str) -> bool:
    found = re.match(r"(?:\d+:)?(\d+)", version)
    return found is not None and int(found[1]) >= OLDEST_MAJOR


def _require_apt() -> None:
    if shutil.which("apt-get") is None:
        raise EngineUnavailable("no Docker engine answers, and without apt-get none is installed")


def _add_newer_suite(apt: Apt) -> None:
    mirror, keyring = _debian_mirror(apt)
    say(f"taking {', '.join(FROM_NEWER_SUITE)} from the suite {NEWER_SUITE} of the same mirror")
    source = f"Types: deb\nURIs: {mirror}\nSuites: {NEWER_SUITE}\nComponents: main\n"
    signed = f"Signed-By: {keyring}\n" if keyring else ""
    _write(apt.folder / "sources.list.d" / "leoflow.sources", source + signed)
    _write(apt.folder / "preferences.d" / "leoflow", _preferences())
    apt.run("update")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def _preferences() -> str:
    pin = f"Pin: release n={NEWER_SUITE}\nPin-Priority:"
    return f"Package: *\n{pin} -1\n\nPackage: {' '.join(FROM_NEWER_SUITE)}\n{pin} 990\n"


def _debian_mirror(apt: Apt) -> tuple[str, str]:
    """Return the address of the machine's Debian mirror and the keyring that signs it."""
    fields = "$(ORIGIN)\t$(CODENAME)\t$(REPO_URI)\t$(SOURCESENTRY)"
    for line in apt.run("indextargets", "--format", fields).splitlines():
        origin, codename, mirror, entry = line.split("\t")
        if origin == "Debian" and "-" not in codename:
            return mirror, _keyring_of(entry)
    raise EngineUnavailable(
        f"docker.io here is older than {OLDEST_MAJOR}, and apt knows no Debian mirror with a newer"
    )


def _keyring_of(entry: str) -> str:
    """Return the keyring named by a source entry such as `/etc/apt/sources.list.d/a.sources:1`."""
    path, _, number = entry.rpartition(":")
    text = Path(path).read_text(encoding="utf-8")
    parts = text.splitlines() if path.endswith(".list") else re.split(r"\n\s*\n", text.strip())
    found = re.search(r"(?i)signed-by\s*[:=]\s*(/[^\s\]]+)", parts[int(number) - 1])
    if found:
        return found[1]
    return str(DEBIAN_KEYRING) if DEBIAN_KEYRING.exists() else ""


def _install(apt: Apt) -> None:
    wanted = [name for name in (*FROM_NEWER_SUITE, "iproute2") if apt.candidate(name)]
    say(f"installing {', '.join(wanted)}")
    with services_stay_down():
        apt.run("install", "--yes", "--no-install-recommends", *wanted)


@contextmanager
def services_stay_down() -> Iterator[None]:
    """Keep the packages from starting an engine of their own for the whole machine."""
    if SERVICE_POLICY.exists():
        yield
        return
    SERVICE_POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    SERVICE_POLICY.chmod(0o755)
    try:
        yield
    finally:
        SERVICE_POLICY.unlink(missing_ok=True)
