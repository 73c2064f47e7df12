"""What is in an image: its Python, libc and folders of packages, as that Python tells; and whether
a DAG can run on it. The verdict is pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leoflow_builder.target import MACHINES

# What it prints are paths as the process sees them.
PROBE = """
import glob, json, os, platform, site, sys
libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else None
venv = sys.prefix != sys.base_prefix
sites = [os.path.realpath(one) for one in site.getsitepackages()]
print(json.dumps({
    "python": sys.executable if venv else os.path.realpath(sys.executable),
    "python_version": platform.python_version(),
    "implementation": platform.python_implementation(), "machine": platform.machine(),
    "libc": libc, "sites": sites[:1] + [one for one in sites[1:] if os.path.isdir(one)],
    "has_pth": any(glob.glob(glob.escape(one) + "/*.pth") for one in sites),
    "bash": any(os.access(p + "/bash", os.X_OK) for p in ("/bin", "/usr/bin", "/usr/local/bin")),
}))
"""


@dataclass(frozen=True)
class Facts:
    """What a probe found. ``sites`` are the folders of packages, the one to install into first;
    ``libc`` is None where it is not glibc, else as in "glibc 2.36"."""

    python: str
    python_version: str
    implementation: str
    machine: str
    libc: str | None
    sites: tuple[str, ...]
    has_pth: bool
    bash: bool


def read_facts(printed: bytes) -> Facts:
    """Return what a probe printed; ValueError if it is something else."""
    found: Mapping[str, Any] = json.loads(printed)
    sites = tuple(dict.fromkeys(found["sites"]))
    return Facts(**{**found, "sites": sites})


def refusal(what: str, python_minor: str, facts: Facts) -> str | None:
    """Say why an image cannot be a base, or None. ``what`` names it: "base_image 'my/base:1'"."""
    found = f"{facts.implementation} {facts.python_version}"
    if facts.implementation != "CPython" or not found.startswith(f"CPython {python_minor}."):
        return (
            f"{what} has {found}, and the project wants Python {python_minor}. "
            "Set python_version, or choose another image"
        )
    if not (facts.libc or "").startswith("glibc "):
        return no_glibc(what)
    if facts.machine not in MACHINES.values():
        known = " and ".join(sorted(MACHINES.values()))
        return f"{what} is for '{facts.machine}'. leoflow knows {known}"
    return None


def no_glibc(what: str) -> str:
    """Say why an image with another libc cannot be a base."""
    return (
        f"{what} has no glibc (Alpine has musl), and the wheels of most packages need it. "
        "Choose an image of Debian, Ubuntu or Fedora"
    )
