"""Gets everything that a project's code needs to run: base image, interpreter, locked wheels.

It reads no DAG and makes no image, so that validating, running and building can share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.baseimage import BaseImage, ensure_base
from leoflow_builder.depslayer import Installation, ensure_deps
from leoflow_builder.interpreter import Interpreter, RootfsInterpreter
from leoflow_builder.layer import LayerFolder
from leoflow_builder.lock import Lock
from leoflow_builder.locking import as_error, ensure_lock, remake_lock
from leoflow_builder.pextool import Pex, Unresolvable
from leoflow_builder.plan import Ground
from leoflow_builder.project import Project
from leoflow_builder.target import Target

Say = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """What a project's code runs on. ``deps`` is None if the project has no dependencies."""

    target: Target
    ground: Ground
    interpreter: Interpreter
    lock: Lock
    deps: LayerFolder | None

    @property
    def site_path(self) -> list[Path]:
        """The folders of installed packages on this host, for ``Interpreter.run(path=…)``."""
        return [] if self.deps is None else [self.ground.place.site_in(self.deps.tree)]

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
    base = ensure_base(project.python_version, "plain", home, say)
    target, ground = describe_base(base)
    interpreter = RootfsInterpreter(base.rootfs)
    lock = ensure_lock(project, target, base_name(base), pex, say)
    try:
        deps = ensure_deps(lock, target, ground.place, interpreter, pex, home)
    except Unresolvable as error:
        raise as_error(error.failure, project) from None
    return Environment(target, ground, interpreter, lock, deps)


def lock_project(
    project: Project, home: Path, say: Say, upgrade: bool = False, pex: Pex | None = None
) -> Lock:
    """Write leoflow.lock if it does not fit, or anew from the index with ``upgrade``."""
    base = ensure_base(project.python_version, "plain", home, say)
    target, _ = describe_base(base)
    make = remake_lock if upgrade else ensure_lock
    return make(project, target, base_name(base), pex or make_pex(home), say)


def make_pex(home: Path) -> Pex:
    """Return pex with its cache under LEOFLOW_HOME."""
    return Pex(home.absolute() / "cache" / "pex")


def describe_base(base: BaseImage) -> tuple[Target, Ground]:
    """Return the platform of a base image, and what an image stands on with it."""
    target = Target(base.python_version, base.glibc, base.architecture)
    return target, Ground(target.platform, Installation(base.python, base.site_packages))


def base_name(base: BaseImage) -> str:
    """Name a base by its content, which is the same on every machine."""
    return f"{base.python.rpartition('/')[2]}-{base.variant} {base.layer_digest}"
