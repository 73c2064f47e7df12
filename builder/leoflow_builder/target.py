"""The platform that an image is for, in the words of Python's packaging standards.

Pure: nothing here looks at the host, whose platform may be another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.tags import Tag

# PEP 600: the older names of three glibc versions. Wheels are still published under them.
LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
ARCHITECTURES = {machine: word for word, machine in MACHINES.items()}
PLATFORMS = tuple(f"linux/{word}" for word in MACHINES)
# The first glibc that each architecture has; older wheels cannot exist.
OLDEST_GLIBC = {"amd64": 5, "arm64": 17}


@dataclass(frozen=True)
class Target:
    """A CPython on a Linux with glibc. ``python_version`` is whole ("3.11.2"), ``architecture``
    is OCI's word ("amd64")."""

    python_version: str
    glibc: str
    architecture: str

    @property
    def python_minor(self) -> str:
        """The version to which wheels and bytecode are bound, such as "3.11"."""
        return ".".join(self.python_version.split(".")[:2])

    @property
    def platform(self) -> str:
        """The platform in OCI's spelling, such as "linux/amd64"."""
        return f"linux/{self.architecture}"


def complete_platform(target: Target) -> dict[str, Any]:
    """Return the markers and the wheel tags of a target, best tag first, as pex reads them."""
    return {
        "marker_environment": marker_environment(target),
        "compatible_tags": [str(tag) for tag in compatible_tags(target)],
    }


@cache
def compatible_tags(target: Target) -> tuple[Tag, ...]:
    """Return the tags of the wheels that run on a target, best first."""
    return tuple(_tags(target))


def _tags(target: Target) -> Iterator[Tag]:
    # Imported here: a build whose lock fits needs targets, and no tags.
    from packaging import tags

    version = [int(part) for part in target.python_minor.split(".")]
    interpreter = f"cp{version[0]}{version[1]}"
    platforms = list(_platforms(target))
    yield from tags.cpython_tags(version, platforms=platforms)
    yield from tags.compatible_tags(version, interpreter=interpreter, platforms=platforms)


def _platforms(target: Target) -> Iterator[str]:
    machine = MACHINES[target.architecture]
    newest = int(target.glibc.split(".")[1])
    for minor in range(newest, OLDEST_GLIBC[target.architecture] - 1, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in LEGACY_MANYLINUX:
            yield f"{LEGACY_MANYLINUX[minor]}_{machine}"
    yield f"linux_{machine}"


def marker_environment(target: Target) -> dict[str, str]:
    """Return what PEP 508's markers compare with on a target."""
    return {
        "implementation_name": "cpython",
        "implementation_version": target.python_version,
        "os_name": "posix",
        "platform_machine": MACHINES[target.architecture],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": target.python_version,
        "python_version": target.python_minor,
        "sys_platform": "linux",
    }
