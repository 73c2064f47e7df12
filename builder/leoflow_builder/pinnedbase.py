"""How locks and bases meet: a base is made of the packages that a lock pins, and tells which.

The one place that knows how the distribution's packages are handed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.baseimage import BaseImage, ensure_base
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.lock import LockedBase, LockedTarget
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project
from leoflow_builder.recipe import host_architecture, known_versions

__all__ = ["MadeBase", "Pins", "host_architecture", "locked_base", "make_base"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Pins:
    """What a base is made of: what a lock says, and with ``strict`` nothing else.

    ``newest`` takes what the mirror has now instead.
    """

    locked: LockedTarget | None = None
    strict: bool = False
    newest: bool = False

    @property
    def base(self) -> tuple[DebPackage, ...]:
        """The packages of the base; none if there is nothing to obey."""
        return self.locked.base.debs if self.locked and self.locked.base else ()

    @property
    def system(self) -> tuple[DebPackage, ...]:
        """The packages of the system layer."""
        return self.locked.system if self.locked else ()


@dataclass(frozen=True)
class MadeBase:
    """A base, and what the project's system packages bring beyond it.

    ``trees`` are folders whose libraries a process needs that is to use these packages.
    """

    base: BaseImage
    system: tuple[DebPackage, ...] = ()
    trees: tuple[Path, ...] = ()


def make_base(project: Project, architecture: str, home: Path, say: Say, pins: Pins) -> MadeBase:
    """Return the base that a project asks for, made of the pinned packages.

    ``architecture`` is OCI's word. ProjectError if there is no such Python or system package.
    """
    _refuse_unknown_version(project)
    python, base_pins = project.python_version, pins.base
    if pins.newest:
        from leoflow_builder.basemaking import current_debs

        base_pins = current_debs(python, home, say, architecture=architecture)
    base = ensure_base(
        python, home, say, architecture=architecture, pins=base_pins, strict=pins.strict
    )
    if not project.system_packages:
        return MadeBase(base)
    return _with_system(project, base, home, say, pins)


def _with_system(project: Project, base: BaseImage, home: Path, say: Say, pins: Pins) -> MadeBase:
    from leoflow_builder.aptindex import UnknownPackage
    from leoflow_builder.systemlayer import current_system_debs, ensure_system

    names = project.system_packages
    try:
        system = current_system_debs(names, base, home) if pins.newest else pins.system
        made = ensure_system(names, base, home, say, shell=False, pins=system, strict=pins.strict)
    except UnknownPackage as error:
        index = names.index(error.name) if error.name in names else None
        place = ("system_packages",) if index is None else ("system_packages", index)
        raise ProjectError([project.problem(str(error), *place)]) from None
    return MadeBase(base, made.debs, (made.folder.tree,))


def locked_base(base: BaseImage) -> LockedBase:
    """Return what leoflow.lock says of a base, which is the same on every machine."""
    return LockedBase(base.python.rpartition("/")[2], base.layer.diff_id, base.debs)


def _refuse_unknown_version(project: Project) -> None:
    if project.python_version not in known_versions():
        known = ", ".join(f"'{version}'" for version in known_versions())
        message = (
            f"there is no base image for Python '{project.python_version}'. Write one of {known}, "
            "or name an image that has it as base_image"
        )
        raise ProjectError([project.problem(message, "python_version")])
