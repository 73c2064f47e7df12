"""Gets everything that a project's code needs to run: base image, interpreter, locked wheels.

It reads no DAG and makes no image, so that validating, running and building can share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.baseimage import BaseImage, ensure_base
from leoflow_builder.depslayer import Installation, deps_folder, ensure_deps
from leoflow_builder.engine import WhalesEngine
from leoflow_builder.interpreter import Interpreter, RootfsInterpreter
from leoflow_builder.layer import LayerFolder
from leoflow_builder.lock import Lock
from leoflow_builder.locking import as_lock_error, ensure_lock, remake_lock
from leoflow_builder.ownbase import ContainerInterpreter, OwnBase, look_into
from leoflow_builder.pextool import Pex, Unresolvable
from leoflow_builder.plan import Ground
from leoflow_builder.problem import ProjectError, count
from leoflow_builder.project import Project
from leoflow_builder.recipe import known_versions
from leoflow_builder.target import Target

Say = Callable[[str], None]


@dataclass(frozen=True)
class Footing:
    """What dependencies are locked for: a platform, its Python, and the name of the base.

    ``own`` is set if the base is an image of the user's own.
    """

    target: Target
    ground: Ground
    interpreter: Interpreter
    base_name: str
    own: OwnBase | None = None


@dataclass(frozen=True)
class Environment:
    """What a project's code runs on. ``deps`` is None if the project has no dependencies."""

    footing: Footing
    lock: Lock
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


def prepare(project: Project, home: Path, say: Say, pex: Pex | None = None) -> Environment:
    """Return the environment of a project; what is missing is made, and leoflow.lock written.

    ``home`` is LEOFLOW_HOME. ProjectError if the dependencies cannot be had, BuildError or
    BaseImageError if the machinery fails.
    """
    pex = pex or make_pex(home)
    footing = find_footing(project, home, say)
    lock = ensure_lock(project, footing.target, footing.base_name, pex, say)
    return install(project, footing, lock, pex, home, say)


def install(
    project: Project, footing: Footing, lock: Lock, pex: Pex, home: Path, say: Say
) -> Environment:
    """Return the environment with the locked packages, which are unpacked if they are not."""
    target, place = footing.target, footing.ground.place
    if lock.packages and not deps_folder(lock, target, place, home).exists():
        say(f"unpacking and compiling {count(len(lock.packages), 'package')}")
    try:
        deps = ensure_deps(lock, target, place, footing.interpreter, pex, home)
    except Unresolvable as error:
        raise as_lock_error(error.failure, project) from None
    return Environment(footing, lock, deps)


def lock_project(
    project: Project, home: Path, say: Say, upgrade: bool = False, pex: Pex | None = None
) -> Lock:
    """Write leoflow.lock if it does not fit, or anew from the index with ``upgrade``."""
    footing = find_footing(project, home, say)
    make = remake_lock if upgrade else ensure_lock
    return make(project, footing.target, footing.base_name, pex or make_pex(home), say)


def find_footing(project: Project, home: Path, say: Say) -> Footing:
    """Return the base that a project asks for: leoflow's, made if missing, or one of its own."""
    if project.base_image is not None:
        return _own_footing(project, project.base_image, home)
    _refuse_unknown_version(project)
    base = ensure_base(project.python_version, home, say)
    target = Target(base.python_version, base.glibc, base.architecture)
    ground = Ground(target.platform, Installation(base.python, base.site_packages))
    return Footing(target, ground, RootfsInterpreter(base.rootfs), base_name(base))


def _refuse_unknown_version(project: Project) -> None:
    if project.python_version not in known_versions():
        known = ", ".join(f"'{version}'" for version in known_versions())
        message = (
            f"there is no base image for Python '{project.python_version}'. Write one of {known}, "
            "or name an image that has it as base_image"
        )
        raise ProjectError([project.problem(message, "python_version")])


def _own_footing(project: Project, reference: str, home: Path) -> Footing:
    own = look_into(reference, project.python_version, WhalesEngine())
    # The builder's own scripts are compiled with, and the caches hold what is compiled.
    folders = [project.folder, home.absolute(), Path(__file__).parent]
    folders += [(home / "cache").resolve()]
    minor, python = own.target.python_minor, own.ground.place.python
    interpreter = ContainerInterpreter(own.image_id, python, minor, folders)
    return Footing(own.target, own.ground, interpreter, f"{reference} {own.image_id}", own)


def make_pex(home: Path) -> Pex:
    """Return pex with its cache under LEOFLOW_HOME."""
    return Pex(home.absolute() / "cache" / "pex")


def base_name(base: BaseImage) -> str:
    """Name a base by its content, which is the same on every machine."""
    return f"{base.python.rpartition('/')[2]} {base.layer.diff_id}"
