"""Gets everything that a project's code needs to run: base image, interpreter, locked wheels.

It reads no DAG and makes no image, so that validating, running and building can share it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_builder.debpackage import DebPackage
from leoflow_builder.dependencyfile import Dependencies, read_dependencies, unused_file
from leoflow_builder.depslayer import deps_folder, ensure_deps
from leoflow_builder.failure import BuildError
from leoflow_builder.ground import Ground
from leoflow_builder.installation import Installation
from leoflow_builder.interpreter import Interpreter, RootfsInterpreter
from leoflow_builder.layer import LayerFolder
from leoflow_builder.lock import Lock, LockedBase, LockedPackage, read_lock
from leoflow_builder.locking import (
    Basis,
    Locksmith,
    MakeTool,
    as_lock_error,
    ensure_lock,
    require_lock,
)
from leoflow_builder.pinnedbase import (
    MadeBase,
    Pins,
    host_architecture,
    locked_base,
    make_base,
)
from leoflow_builder.problem import ProjectError, count
from leoflow_builder.project import Project
from leoflow_builder.target import Target

if TYPE_CHECKING:
    from leoflow_builder.baseimage import BaseImage
    from leoflow_builder.ownbase import OwnBase
    from leoflow_builder.wheeltool import WheelTool

Say = Callable[[str], None]


@dataclass(frozen=True)
class Footing:
    """What dependencies are locked for: a platform, its Python, and what of it is pinned.

    ``made`` is leoflow's own base; ``own`` is set instead if it is an image of the user's.
    """

    target: Target
    ground: Ground
    interpreter: Interpreter
    base: LockedBase | None
    system: tuple[DebPackage, ...] = ()
    made: BaseImage | None = None
    own: OwnBase | None = None

    @property
    def basis(self) -> Basis:
        """The same as a lock has it."""
        return Basis(self.target.platform, self.target, self.base, self.system)


@dataclass(frozen=True)
class Environment:
    """What a project's code runs on. ``deps`` is None if the project has no dependencies."""

    footing: Footing
    lock: Lock
    packages: tuple[LockedPackage, ...]
    deps: LayerFolder | None

    @property
    def interpreter(self) -> Interpreter:
        """The Python that reads the DAG."""
        return self.footing.interpreter

    @property
    def site_path(self) -> list[Path]:
        """The folders of installed packages on this host, for ``Interpreter.run(path=…)``."""
        return [] if self.deps is None else [self.footing.ground.place.site_in(self.deps.tree)]

    @property
    def has_pth(self) -> bool:
        """Whether the packages bring .pth files, which the site module has to follow."""
        return self.deps is not None and bool(self.deps.facts["has_pth"])


def prepare(
    project: Project,
    home: Path,
    say: Say,
    *,
    locked: bool = False,
    make_tool: MakeTool | None = None,
) -> Environment:
    """Return the environment of a project; what is missing is made, and leoflow.lock written.

    ``home`` is LEOFLOW_HOME. With ``locked`` the lock has to fit, and is not written. ProjectError
    if the dependencies cannot be had, BuildError or BaseImageError if the machinery fails.
    """
    smith = locksmith(project, home, say, make_tool)
    known = read_lock(project.folder)
    if locked:
        require_lock(known, project, smith.dependencies)
    footing = find_footing(project, home, say, _pins(known, native_platform(), locked))
    lock = ensure_lock(known, smith, footing.basis, locked)
    return install(smith, footing, lock, footing.basis.key, home)


def prepare_foreign(
    project: Project,
    platform: str,
    native: Environment,
    home: Path,
    say: Say,
    *,
    locked: bool = False,
    make_tool: MakeTool | None = None,
) -> Environment:
    """Return the environment of a project for another platform than this machine's.

    Nothing of it runs here: code is compiled by the native environment's interpreter.
    """
    smith = locksmith(project, home, say, make_tool)
    pins = _pins(native.lock, platform, locked)
    footing = find_foreign(project, platform, native.footing, home, say, pins)
    lock = ensure_lock(native.lock, smith, footing.basis, locked)
    return install(smith, footing, lock, footing.basis.key, home)


def native_platform() -> str:
    """Return this machine's platform as OCI spells it."""
    return f"linux/{host_architecture()}"


def _pins(lock: Lock | None, platform: str, strict: bool) -> Pins:
    return Pins(lock.targets.get(platform) if lock else None, strict)


def locksmith(
    project: Project, home: Path, say: Say, make_tool: MakeTool | None = None
) -> Locksmith:
    """Return what locking takes; what the project depends on is read."""
    unused = unused_file(project)
    if unused:
        say(unused)
    return Locksmith(project, read_dependencies(project), make_tool or tool_maker(home, say), say)


def tool_maker(home: Path, say: Say) -> MakeTool:
    """Return what makes the program that finds wheels, once it is needed."""

    def make() -> WheelTool:
        from leoflow_builder.wheelfinder import find_tool

        return find_tool(home, say)

    return make


def install(smith: Locksmith, footing: Footing, lock: Lock, key: str, home: Path) -> Environment:
    """Return the environment with what is locked for a platform, unpacked if it is not."""
    packages = lock.targets[key].packages
    target, place = footing.target, footing.ground.place
    if packages and not deps_folder(packages, target, place, home).exists():
        smith.say(f"unpacking and compiling {count(len(packages), 'package')}")
    deps = _deps(packages, footing, smith.make_tool, smith.dependencies, home)
    return Environment(footing, lock, packages, deps)


def _deps(
    packages: Sequence[LockedPackage],
    footing: Footing,
    make_tool: MakeTool,
    dependencies: Dependencies,
    home: Path,
) -> LayerFolder | None:
    place = footing.ground.place
    try:
        return ensure_deps(packages, footing.target, place, footing.interpreter, make_tool, home)
    except Exception as error:
        # Its module is loaded only if something had to be unpacked.
        failure = getattr(error, "failure", None)
        if failure is None:
            raise
        raise as_lock_error(failure, dependencies) from None


def find_footing(project: Project, home: Path, say: Say, pins: Pins | None = None) -> Footing:
    """Return the base that a project asks for: leoflow's, made if missing, or one of its own."""
    pins = pins or Pins()
    if project.own_image is not None:
        return _own_footing(project, home, say, pins)
    made = make_base(project, host_architecture(), home, say, pins)
    return _footing(made, RootfsInterpreter(made.base.rootfs, made.trees))


def find_foreign(
    project: Project, platform: str, native: Footing, home: Path, say: Say, pins: Pins
) -> Footing:
    """Return the base for a platform whose programs do not run here.

    The interpreter is this machine's, of the same Python; BuildError for an image of one's own.
    """
    if native.own is not None:
        raise BuildError(
            f"{native.own.spoken} is for {native.target.platform} here, and not for {platform}. "
            "Build for it on such a machine"
        )
    made = make_base(project, platform.rpartition("/")[2], home, say, pins)
    return _footing(made, native.interpreter)


def _footing(made: MadeBase, interpreter: Interpreter) -> Footing:
    base = made.base
    target = Target(base.python_version, base.glibc, base.architecture)
    ground = Ground(target.platform, Installation(base.python, base.site_packages))
    return Footing(target, ground, interpreter, locked_base(base), made.system, made=base)


def find_basis(project: Project, platform: str, home: Path, say: Say, pins: Pins) -> Basis:
    """Return what to lock a project for on a platform, of which nothing need run here."""
    if project.own_image is not None:
        basis = _own_footing(project, home, say, pins).basis
        if basis.key != platform:
            raise BuildError(
                f"{project.own_image[0]} '{project.own_image[1]}' is for {basis.key} here, and not "
                f"for {platform}. Lock for it on such a machine"
            )
        return basis
    made = make_base(project, platform.rpartition("/")[2], home, say, pins)
    base = made.base
    target = Target(base.python_version, base.glibc, base.architecture)
    return Basis(platform, target, locked_base(base), made.system)


def _own_footing(project: Project, home: Path, say: Say, pins: Pins) -> Footing:
    from leoflow_builder.ownbase import Pin, find_own_base

    key, name = project.own_image or ("", "")
    if project.system_packages:
        message = f"{key} is an image of your own: install the packages in it"
        raise ProjectError([project.problem(message, "system_packages")])
    known = pins.locked.base if pins.locked else None
    pin = Pin(known.digest if known and known.name == name else None, pins.strict)
    own = find_own_base(project, home, say, pin)
    base = LockedBase(name, own.digest)
    return Footing(own.target, own.ground, own.interpreter, base, own=own)
