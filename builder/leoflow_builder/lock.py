"""leoflow.lock: the exact wheels and base of a DAG, committed next to it.

It names no index, so it is the same behind every mirror and holds no credentials. Nothing here
resolves or downloads, and reading it takes a millisecond: it is on the way of every build.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from leoflow_builder.debpackage import DebPackage
from leoflow_builder.lockdocument import as_document, from_document
from leoflow_builder.problem import Problem, ProjectError
from leoflow_builder.target import Target

LOCK_NAME = "leoflow.lock"
SCHEMA_VERSION = 2
# A lock for the subprocess mode on a machine that cannot run the image's wheels.
HOST_PREFIX = "host/"
_REMAKE = "Delete the file, or run `leoflow lock --upgrade` to make a new one"


@dataclass(frozen=True, order=True)
class LockedPackage:
    """One wheel. ``name`` is normalised, ``sha256`` is in hexadecimal."""

    name: str
    version: str
    filename: str
    sha256: str


@dataclass(frozen=True)
class LockedBase:
    """The base image: ``digest`` is its layer's diff_id, or the identity of an image of the
    user's own, for which there are no ``debs``."""

    name: str
    digest: str
    debs: tuple[DebPackage, ...] = ()


@dataclass(frozen=True)
class LockedSource:
    """The file that the dependencies are from, beside leoflow.yaml, and the digest of what in it
    counts, in hexadecimal."""

    file: str
    sha256: str


@dataclass(frozen=True)
class LockedTarget:
    """What was locked for one platform. ``base`` is None for the subprocess mode."""

    glibc: str
    base: LockedBase | None = None
    system: tuple[DebPackage, ...] = ()
    packages: tuple[LockedPackage, ...] = ()


@dataclass(frozen=True)
class Lock:
    """What was resolved. ``targets`` are by platform ("linux/amd64"), sorted; those that begin
    with ``HOST_PREFIX`` are for the subprocess mode."""

    python_version: str
    requirements: tuple[str, ...] = ()
    source: LockedSource | None = None
    system_packages: tuple[str, ...] = ()
    targets: Mapping[str, LockedTarget] = field(default_factory=dict)

    def with_target(self, platform: str, target: LockedTarget) -> Lock:
        """Return the lock with one platform added, or put in the place of what was there."""
        targets = {**self.targets, platform: target}
        return replace(self, targets={name: targets[name] for name in sorted(targets)})


def locked_target(
    target: Target,
    base: LockedBase | None,
    packages: Iterable[LockedPackage],
    system: Iterable[DebPackage] = (),
) -> LockedTarget:
    """Return what was resolved for a target; the order of the arguments is lost."""
    debs = None if base is None else replace(base, debs=tuple(sorted(base.debs)))
    return LockedTarget(target.glibc, debs, tuple(sorted(system)), tuple(sorted(packages)))


def changed_inputs(
    lock: Lock,
    python_minor: str,
    requirements: Sequence[str],
    source: LockedSource | None = None,
    system_packages: Iterable[str] = (),
) -> str | None:
    """Say in what a project differs from the one that was locked, or return None."""
    if lock.python_version != python_minor:
        return f"it was made for Python {lock.python_version}, and the project has {python_minor}"
    changed = _changed_requirements(lock.requirements, requirements)
    if changed:
        return changed
    if lock.source != source:
        return _changed_source(lock.source, source)
    wanted = tuple(sorted(set(system_packages)))
    if lock.system_packages != wanted:
        return "the system packages changed: " + _difference(lock.system_packages, wanted)
    return None


def changed_target(lock: Lock, platform: str, target: Target) -> str | None:
    """Say why what was locked for a platform does not fit a target, or return None."""
    known = lock.targets.get(platform)
    if known is None:
        made_for = ", ".join(lock.targets) or "no platform"
        return f"it was made for {made_for}, and not for {platform}"
    if known.glibc != target.glibc:
        return (
            f"it was made for {platform} with glibc {known.glibc}, and the image has "
            f"glibc {target.glibc}"
        )
    return None


def _changed_requirements(before: tuple[str, ...], written: Sequence[str]) -> str | None:
    # Spelt as in the lock, as most are, they need no parser, which takes long to load.
    if tuple(sorted(set(written))) == before:
        return None
    from leoflow_builder.requirement import normalise

    now = normalise(written)
    return None if now == before else "the dependencies changed: " + _difference(before, now)


def _difference(before: Sequence[str], now: Sequence[str]) -> str:
    added = [f"'{one}' is new" for one in now if one not in before]
    removed = [f"'{one}' is gone" for one in before if one not in now]
    return ", ".join(added + removed)


def _changed_source(before: LockedSource | None, now: LockedSource | None) -> str:
    if before is None or now is None or before.file != now.file:
        old, new = (one.file if one else "leoflow.yaml" for one in (before, now))
        return f"the dependencies are in '{new}' now, and were in '{old}'"
    return f"'{now.file}' changed"


def dump_lock(lock: Lock) -> str:
    """Return the text of leoflow.lock: one value per line of a diff."""
    document = {"schema_version": SCHEMA_VERSION, **as_document(lock)}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def parse_lock(text: str) -> Lock:
    """Return the lock that a text holds; ProjectError if it is none, or of another leoflow."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _bad(f"is not JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise _bad("is not a lock of leoflow's: it is nested too deeply") from None
    if not isinstance(document, dict):
        raise _bad("is not a lock of leoflow's: it has to be an object")
    _check_version(document.pop("schema_version", None))
    try:
        return from_document(document, Lock)
    except ValueError as error:
        raise _bad(f"is not a lock of leoflow's: {error}") from None


def read_lock(folder: Path) -> Lock | None:
    """Return the lock beside a project, or None where there is none; ProjectError if it is bad."""
    try:
        return parse_lock((folder / LOCK_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise _bad(f"is not UTF-8: {error}") from None
    except OSError as error:
        message = f"cannot be read: {error.strerror}. Correct its mode, or remove it"
        raise ProjectError([Problem(LOCK_NAME, None, message)]) from None


def lock_problem(message: str) -> ProjectError:
    """Return a problem of leoflow.lock as a whole."""
    return ProjectError([Problem(LOCK_NAME, None, message)])


def _check_version(version: Any) -> None:
    if version == SCHEMA_VERSION:
        return
    if version is None:
        raise _bad("is not a lock of leoflow's: it has no 'schema_version'")
    raise _bad(f"has schema_version '{version}', and this leoflow knows {SCHEMA_VERSION}")


def _bad(what: str, line: int | None = None) -> ProjectError:
    return ProjectError([Problem(LOCK_NAME, line, f"the file {what}. {_REMAKE}")])
