"""How this machine reaches Debian: its mirror, its keyring, its settings for the way there.

It changes nothing on the machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from leoflow_builder.aptfailure import MIRROR_VARIABLE, explain
from leoflow_builder.recipe import BaseImageError

KEYRINGS = Path("/usr/share/keyrings")
RELEASES = r"(?:oldstable|stable|testing|sid|bookworm|trixie|forky)"
PASSED_ON = ("Acquire::http::", "Acquire::https::", "Acquire::Check-", "Acquire::Retries")


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
    targets = run(
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


def require_tools() -> None:
    """Refuse a machine without apt and dpkg, such as macOS, with the way out."""
    tools = {"apt-get": "apt", "dpkg-deb": "dpkg"}
    missing = [package for tool, package in tools.items() if shutil.which(tool) is None]
    if missing:
        raise BaseImageError(
            f"making a base image needs '{' '.join(missing)}', which is not installed here. "
            f"On Debian or Ubuntu: apt-get install {' '.join(missing)} debian-archive-keyring. "
            "Elsewhere set base_image to a ready image: its archive or its reference"
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


def host_options() -> list[str]:
    """Return apt's settings for reaching the mirror from here, such as a proxy."""
    dump = run(["apt-config", "dump"], "asking apt for its settings")
    lines = (line for line in dump.splitlines() if line.startswith(PASSED_ON))
    return [line for line in lines if not line.endswith(' "";')]


def run(
    command: list[str], doing: str, config: Path | None = None, folder: Path | None = None
) -> str:
    """Return what one of apt's commands prints; `config` replaces the machine's settings."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    if config is not None:
        environment["APT_CONFIG"] = str(config)
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        text = explain(doing, command[0], done.stdout, done.stderr)
        raise CommandFailed(text, done.stderr)
    return done.stdout


class CommandFailed(BaseImageError):
    """One of apt's commands failed; ``stderr`` is what it wrote there."""

    def __init__(self, message: str, stderr: str) -> None:
        super().__init__(message)
        self.stderr = stderr
