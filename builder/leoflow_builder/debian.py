"""Fetches and unpacks Debian packages for a base image, from the mirror this machine uses.

It changes nothing on the machine: no package is installed and apt's own lists stay as they are.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote

from leoflow_builder.recipe import BaseImageError

MIRROR_VARIABLE = "LEOFLOW_DEBIAN_MIRROR"
KEYRINGS = Path("/usr/share/keyrings")
RELEASES = r"(?:oldstable|stable|testing|sid|bookworm|trixie|forky)"
PASSED_ON = ("Acquire::http::", "Acquire::https::", "Acquire::Check-", "Acquire::Retries")
MERGED = ("bin", "lib", "lib64", "sbin")


@dataclass(frozen=True)
class Package:
    """One package that a base image was made of; `sha256` is that of its .deb."""

    name: str
    version: str
    architecture: str
    sha256: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Unpacked:
    """A folder of unpacked packages, and which package brought which (merged) path."""

    folder: Path
    packages: tuple[Package, ...]
    owners: Mapping[str, str]


def unpack(suite: str, names: Sequence[str], folder: Path) -> Unpacked:
    """Fetch packages with all they depend on and unpack them into a new folder."""
    _require_tools()
    command = [
        "mmdebstrap",
        "--mode=chrootless",
        "--variant=extract",
        "--format=directory",
        "--skip=cleanup/apt",
        f"--include={','.join(names)}",
        '--aptopt=Acquire::Languages "none"',
        *(f"--aptopt={option}" for option in _host_options()),
        suite,
        str(folder),
        *source_lines(suite, mirrors()),
    ]
    _run(command, f"fetching packages of Debian {suite}")
    archives = sorted((folder / "var/cache/apt/archives").glob("*.deb"))
    packages = tuple(_package(archive) for archive in archives)
    owners = {
        path: package.name
        for archive, package in zip(archives, packages, strict=True)
        for path in _contents(archive)
    }
    return Unpacked(folder, packages, owners)


def merged(path: str) -> str:
    """Return where a path lies when /bin, /lib, /lib64 and /sbin are links into /usr."""
    path = path.removeprefix("./").rstrip("/")
    first = path.partition("/")[0]
    return f"usr/{path}" if first in MERGED else path


def source_lines(suite: str, archives: Mapping[str, str]) -> list[str]:
    """Return apt's source lines for a suite; `archives` maps "", "-updates"... to addresses."""
    keyring = _keyring()
    return [
        f"deb [signed-by={keyring}] {address} {suite}{suffix} main"
        for suffix, address in archives.items()
    ]


def mirrors() -> dict[str, str]:
    """Return the addresses of the Debian archives that this machine is set up to use."""
    named = os.environ.get(MIRROR_VARIABLE, "").split()
    if named:
        return dict(zip(("", "-security"), named, strict=False))
    targets = _run(
        [
            "apt-get",
            "indextargets",
            "--no-release-info",
            "--format",
            "$(RELEASE)\t$(COMPONENT)\t$(REPO_URI)",
        ],
        "asking apt for its mirror",
    )
    found = mirrors_among(targets)
    if "" not in found:
        raise BaseImageError(
            f"apt on this machine knows no Debian mirror. Set {MIRROR_VARIABLE} to the address "
            "of one (and after a space, to that of its security archive)"
        )
    return found


def mirrors_among(targets: str) -> dict[str, str]:
    """Pick Debian's archives out of lines of release, component and address."""
    found: dict[str, str] = {}
    for line in targets.splitlines():
        release, component, address = line.split("\t")
        match = re.fullmatch(rf"{RELEASES}(-updates|-security)?", release)
        if match and component == "main":
            found.setdefault(match[1] or "", address)
    return dict(sorted(found.items()))


def _require_tools() -> None:
    tools = {"apt-get": "apt", "dpkg-deb": "dpkg", "mmdebstrap": "mmdebstrap"}
    missing = [package for tool, package in tools.items() if shutil.which(tool) is None]
    if missing:
        raise BaseImageError(
            f"making a base image needs '{' '.join(missing)}', which is not installed here. "
            f"On Debian or Ubuntu: apt-get install {' '.join(missing)}. "
            "Elsewhere name a ready image as base_image"
        )


def _keyring() -> Path:
    for ending in ("pgp", "gpg"):
        keyring = KEYRINGS / f"debian-archive-keyring.{ending}"
        if keyring.exists():
            return keyring
    raise BaseImageError(
        f"'{KEYRINGS / 'debian-archive-keyring.gpg'}' is missing, so Debian's packages cannot be "
        "verified. Run: apt-get install debian-archive-keyring"
    )


def _host_options() -> list[str]:
    """Return apt's settings for reaching the mirror from here, such as a proxy."""
    dump = _run(["apt-config", "dump"], "asking apt for its settings")
    lines = (line for line in dump.splitlines() if line.startswith(PASSED_ON))
    return [line.rstrip(";") for line in lines if not line.endswith(' "";')]


def _package(archive: Path) -> Package:
    name, version, architecture = archive.stem.split("_")
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Package(name, unquote(version), architecture, digest)


def _contents(archive: Path) -> list[str]:
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    try:
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as process,
            tarfile.open(fileobj=process.stdout, mode="r|") as members,
        ):
            return [merged(member.name) for member in members if not member.isdir()]
    except tarfile.TarError as error:
        raise BaseImageError(f"'{archive.name}' cannot be read: {error}. Build again") from error


def _run(command: list[str], doing: str) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).splitlines()[-12:]
        raise BaseImageError("\n".join([f"{doing} failed, by {command[0]}:", *lines]))
    return done.stdout
