"""Decides whether a project's lock still fits, and makes a new one where it does not.

It must not change the locked versions of a project whose dependencies are the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from leoflow_builder.failure import BuildError, IndexUnreachable
from leoflow_builder.lock import (
    LOCK_NAME,
    Lock,
    dump_lock,
    make_lock,
    normalise,
    read_lock,
    stale_reason,
)
from leoflow_builder.pextool import Pex, Unresolvable
from leoflow_builder.problem import Problem, ProjectError, count
from leoflow_builder.project import Project
from leoflow_builder.resolvefailure import ResolveFailure
from leoflow_builder.target import Target

Say = Callable[[str], None]


def ensure_lock(project: Project, target: Target, base: str, pex: Pex, say: Say) -> Lock:
    """Return the lock of a project; write leoflow.lock if there is none or it does not fit.

    ``base`` names the base image. ProjectError if the dependencies cannot be satisfied.
    """
    known = read_lock(project.folder)
    if known is None:
        return remake_lock(project, target, base, pex, say)
    reason = stale_reason(known, project.dependencies, target)
    if reason:
        say(f"{LOCK_NAME} is made anew: {reason}")
        return remake_lock(project, target, base, pex, say)
    if known.base != base:
        say(f"{LOCK_NAME}: the base image is '{base}' now, was '{known.base}'")
        known = replace(known, base=base)
        write_lock(project.folder, known)
    return known


def remake_lock(project: Project, target: Target, base: str, pex: Pex, say: Say) -> Lock:
    """Resolve a project's dependencies from the index and write leoflow.lock."""
    wanted = normalise(project.dependencies)
    if wanted:
        say(f"resolving {count(len(wanted), 'dependency')} for Python {target.python_minor}")
    try:
        packages = pex.resolve(wanted, target) if wanted else []
    except Unresolvable as error:
        raise as_error(error.failure, project) from None
    lock = make_lock(wanted, target, base, packages)
    write_lock(project.folder, lock)
    say(f"wrote {LOCK_NAME} with {count(len(packages), 'package')}")
    return lock


def write_lock(folder: Path, lock: Lock) -> None:
    """Write leoflow.lock, whole or not at all."""
    unfinished = folder / f".{LOCK_NAME}.{os.getpid()}"
    try:
        unfinished.write_text(dump_lock(lock), encoding="utf-8")
        unfinished.replace(folder / LOCK_NAME)
    except OSError as error:
        # On a read-only disk even the removal of what is not there fails.
        with suppress(OSError):
            unfinished.unlink()
        raise BuildError(
            f"'{folder / LOCK_NAME}' cannot be written: {error.strerror}. "
            "Make the project folder writable"
        ) from None


def as_error(failure: ResolveFailure, project: Project) -> Exception:
    """Return what a failure is: the project's, with its place, or the machinery's."""
    if failure.kind == "network":
        return IndexUnreachable(failure.message)
    if failure.kind == "other":
        return BuildError(failure.message)
    if failure.kind == "hash":
        return ProjectError([Problem(LOCK_NAME, None, failure.message)])
    index = _index_of(failure.requirement, project)
    path = ("dependencies",) if index is None else ("dependencies", index)
    return ProjectError([project.problem(failure.message, *path)])


def as_lock_error(failure: ResolveFailure, project: Project) -> Exception:
    """Return what it is that wheels of a lock, which were there once, are not to be had."""
    if failure.kind in ("network", "other", "hash"):
        return as_error(failure, project)
    gone = f"'{failure.requirement}' of it" if failure.requirement else "what is in it"
    message = (
        f"the index has no wheel any more for {gone}. Use the index that it was made with, or "
        "make it anew with `leoflow lock --upgrade`"
    )
    return ProjectError([Problem(LOCK_NAME, None, message)])


def _index_of(requirement: str | None, project: Project) -> int | None:
    """Find the dependency that pip named; None if it is a dependency of a dependency."""
    if requirement is None:
        return None
    wanted = canonicalize_name(Requirement(requirement).name)
    names = [canonicalize_name(Requirement(one).name) for one in project.dependencies]
    return names.index(wanted) if wanted in names else None
