"""Decides whether a project's lock still fits, and makes a new one where it does not.

It must not change a locked version that still satisfies, unless an upgrade is asked for.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_builder.debpackage import DebPackage
from leoflow_builder.dependencyfile import Dependencies
from leoflow_builder.failure import BuildError, IndexUnreachable
from leoflow_builder.lock import (
    HOST_PREFIX,
    LOCK_NAME,
    Lock,
    LockedBase,
    LockedPackage,
    LockedTarget,
    changed_inputs,
    changed_target,
    dump_lock,
    lock_problem,
    locked_target,
)
from leoflow_builder.problem import ProjectError, count, did_you_mean
from leoflow_builder.project import Project
from leoflow_builder.target import Target
from leoflow_builder.wholefile import write_whole

if TYPE_CHECKING:
    from leoflow_builder.resolvefailure import ResolveFailure
    from leoflow_builder.wheeltool import WheelTool

Say = Callable[[str], None]
MakeTool = Callable[[], "WheelTool"]
FIX = "Make it anew with `leoflow lock`, and commit it"


@dataclass(frozen=True)
class Basis:
    """What dependencies are locked for. ``key`` is the platform, by which the lock knows it."""

    key: str
    target: Target
    base: LockedBase | None = None
    system: tuple[DebPackage, ...] = ()


@dataclass(frozen=True)
class Upgrade:
    """Which locked versions are not kept: all of them, or those of ``names``, normalised."""

    everything: bool = False
    names: frozenset[str] = field(default_factory=frozenset)

    def __bool__(self) -> bool:
        return self.everything or bool(self.names)


@dataclass(frozen=True)
class Locksmith:
    """What it takes to lock a project: what it depends on, and the program that finds wheels."""

    project: Project
    dependencies: Dependencies
    make_tool: MakeTool
    say: Say


def difference(known: Lock, smith: Locksmith, bases: Sequence[Basis]) -> str | None:
    """Say in what a lock differs from a project and its bases, or return None."""
    changed = changed_project(known, smith.project, smith.dependencies)
    if changed:
        return changed
    for basis in bases:
        reason = changed_target(known, basis.key, basis.target) or changed_base(known, basis)
        if reason:
            return reason
    return None


def changed_project(known: Lock, project: Project, dependencies: Dependencies) -> str | None:
    """Say in what a project differs from the one that was locked, or return None."""
    return changed_inputs(
        known,
        project.python_version,
        dependencies.requirements,
        dependencies.source,
        project.system_packages,
    )


def changed_base(known: Lock, basis: Basis) -> str | None:
    """Say that a base is another one than the locked, or return None."""
    locked = known.targets[basis.key]
    if basis.base == locked.base and basis.system == locked.system:
        return None
    now, before = (_base_words(one) for one in (basis.base, locked.base))
    if now == before:
        return "other versions of the system's packages are to be had now"
    return f"the base image is '{now}' now, was '{before}'"


def _base_words(base: LockedBase | None) -> str:
    return f"{base.name} {base.digest}" if base else "none"


def require_lock(known: Lock | None, project: Project, dependencies: Dependencies) -> Lock:
    """Return the lock if it is that of the project; ProjectError, with the difference, if not."""
    if known is None:
        raise lock_problem("there is none. Make it with `leoflow lock`, and commit it")
    reason = changed_project(known, project, dependencies)
    if reason:
        raise lock_problem(f"it does not fit the project: {reason}. {FIX}")
    return known


def ensure_lock(known: Lock | None, smith: Locksmith, basis: Basis, locked: bool = False) -> Lock:
    """Return the lock of a project for a platform; write leoflow.lock if what is known differs.

    With ``locked`` nothing is written, and a difference is a ProjectError. ProjectError as well if
    the dependencies cannot be satisfied.
    """
    if locked:
        require_lock(known, smith.project, smith.dependencies)
    if known is None:
        return remake_lock(None, smith, [basis])
    reason = difference(known, smith, [basis])
    if reason is None:
        return known
    if locked:
        raise lock_problem(f"it does not fit: {reason}. {FIX}")
    if changed_project(known, smith.project, smith.dependencies):
        smith.say(f"{LOCK_NAME} is made anew: {reason}")
        return remake_lock(known, smith, with_others(known, [basis]))
    if changed_target(known, basis.key, basis.target):
        smith.say(f"{LOCK_NAME} is completed: {reason}")
        return remake_lock(known, smith, [basis])
    smith.say(f"{LOCK_NAME}: {reason}")
    packages = known.targets[basis.key].packages
    lock = known.with_target(
        basis.key, locked_target(basis.target, basis.base, packages, basis.system)
    )
    write_lock(smith.project.folder, lock)
    return lock


def with_others(known: Lock, bases: Sequence[Basis]) -> list[Basis]:
    """Return the bases and, as they were locked, those of the lock's other platforms."""
    python = bases[0].target.python_version
    keys = {basis.key for basis in bases}
    others = [_as_basis(key, one, python) for key, one in known.targets.items() if key not in keys]
    return [*bases, *others]


def _as_basis(key: str, locked: LockedTarget, python_version: str) -> Basis:
    # The bases of one Python differ in architecture, and hardly ever in its patch version.
    target = Target(python_version, locked.glibc, key.rpartition("/")[2])
    return Basis(key, target, locked.base, locked.system)


def remake_lock(
    known: Lock | None, smith: Locksmith, bases: Sequence[Basis], upgrade: Upgrade | None = None
) -> Lock:
    """Choose wheels for each base and write leoflow.lock; platforms that are not named stay."""
    from leoflow_builder.requirement import normalise

    upgrade = upgrade or Upgrade()
    _check_names(known, upgrade)
    project, dependencies = smith.project, smith.dependencies
    lock = Lock(
        python_version=project.python_version,
        requirements=normalise(dependencies.requirements),
        source=dependencies.source,
        system_packages=tuple(sorted(set(project.system_packages))),
        targets=known.targets if known else {},
    )
    chosen: Mapping[str, str] = {}
    for basis in bases:
        preferred = {**chosen, **kept_versions(known, basis.key, upgrade)}
        packages = _choose(smith, basis, preferred)
        chosen = {**chosen, **{one.name: one.version for one in packages}}
        locked = locked_target(basis.target, basis.base, packages, basis.system)
        lock = lock.with_target(basis.key, locked)
    lock = without_needless_host(lock)
    write_lock(project.folder, lock)
    number = len({one.name for target in lock.targets.values() for one in target.packages})
    smith.say(f"wrote {LOCK_NAME} with {count(number, 'package')}")
    return lock


def kept_versions(known: Lock | None, key: str, upgrade: Upgrade) -> dict[str, str]:
    """Return the versions to keep for a platform; where it is new, those of the others."""
    if known is None or upgrade.everything or not known.targets:
        return {}
    target = known.targets.get(key) or next(iter(known.targets.values()))
    versions = {one.name: one.version for one in target.packages}
    return {name: version for name, version in versions.items() if name not in upgrade.names}


def without_needless_host(lock: Lock) -> Lock:
    """Drop what was locked for a host that can run an image's wheels, now that there are some."""
    needless = [
        key
        for key, target in lock.targets.items()
        if key.startswith(HOST_PREFIX)
        and (image := lock.targets.get(key.removeprefix(HOST_PREFIX))) is not None
        and runs_with(image.glibc, target.glibc)
    ]
    kept = {key: one for key, one in lock.targets.items() if key not in needless}
    return replace(lock, targets=kept)


def runs_with(needed: str, glibc: str) -> bool:
    """Tell whether wheels for one version of glibc run with another."""
    return _numbers(needed) <= _numbers(glibc)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _check_names(known: Lock | None, upgrade: Upgrade) -> None:
    names = {
        one.name for target in (known.targets if known else {}).values() for one in target.packages
    }
    unknown = sorted(upgrade.names - names)
    if unknown:
        hint = did_you_mean(unknown[0], names)
        raise lock_problem(
            f"'{unknown[0]}' is not in it, so it cannot be upgraded.{hint} "
            "A new dependency is written to leoflow.yaml"
        )


def _choose(
    smith: Locksmith, basis: Basis, preferred: Mapping[str, str]
) -> Sequence[LockedPackage]:
    from leoflow_builder.requirement import normalise
    from leoflow_builder.wheeltool import Unresolvable, Wanted

    dependencies, target = smith.dependencies, basis.target
    if dependencies.fixed is not None:
        return dependencies.fixed(target)
    wishes = normalise(dependencies.requirements)
    if not wishes:
        return []
    number = count(len(wishes), "dependency")
    smith.say(f"resolving {number} for Python {target.python_minor} on {basis.key}")
    wanted = Wanted(wishes, dependencies.constraints, preferred, dependencies.hashes)
    try:
        return smith.make_tool().resolve(wanted, target)
    except Unresolvable as error:
        raise as_error(error.failure, dependencies) from None


def write_lock(folder: Path, lock: Lock) -> None:
    """Write leoflow.lock, whole or not at all."""
    try:
        write_whole(folder / LOCK_NAME, dump_lock(lock).encode())
    except OSError as error:
        full = error.errno == errno.ENOSPC
        fix = "Free some space" if full else "Make the project folder writable"
        raise BuildError(
            f"'{folder / LOCK_NAME}' cannot be written: {error.strerror}. {fix}"
        ) from None


def as_error(failure: ResolveFailure, dependencies: Dependencies) -> Exception:
    """Return what a failure is: the project's, with its place, or the machinery's."""
    if failure.kind == "network":
        return IndexUnreachable(failure.message)
    if failure.kind == "other":
        return BuildError(failure.message)
    if failure.kind == "hash":
        return lock_problem(failure.message)
    from leoflow_builder.requirement import name_of

    name = name_of(failure.requirement) if failure.requirement else None
    return ProjectError([dependencies.problem(failure.message, name)])


def as_lock_error(failure: ResolveFailure, dependencies: Dependencies) -> Exception:
    """Return what it is that wheels of a lock, which were there once, are not to be had."""
    if failure.kind in ("network", "other", "hash"):
        return as_error(failure, dependencies)
    gone = f"'{failure.requirement}' of it" if failure.requirement else "what is in it"
    message = (
        f"the index has no wheel any more for {gone}. Use the index that it was made with, or "
        "make it anew with `leoflow lock --upgrade`"
    )
    return lock_problem(message)
