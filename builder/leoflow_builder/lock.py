"""leoflow.lock: the exact wheels of a DAG, committed next to it.

It names no index, so it is the same behind every mirror and holds no credentials. Nothing here
resolves or downloads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from leoflow_builder.problem import Problem, ProjectError
from leoflow_builder.target import Target

LOCK_NAME = "leoflow.lock"
SCHEMA_VERSION = 1
_REMAKE = "Delete the file, or run `leoflow lock --upgrade` to make a new one"


@dataclass(frozen=True, order=True)
class LockedPackage:
    """One wheel. ``name`` is normalised, ``sha256`` is in hexadecimal."""

    name: str
    version: str
    filename: str
    sha256: str


@dataclass(frozen=True)
class Lock:
    """What was resolved, for what, and on which base image."""

    python_version: str
    platform: str
    glibc: str
    base: str
    requirements: tuple[str, ...]
    packages: tuple[LockedPackage, ...]


def make_lock(
    requirements: Iterable[str], target: Target, base: str, packages: Iterable[LockedPackage]
) -> Lock:
    """Return the lock of what was resolved for a target; the order of the arguments is lost."""
    return Lock(
        python_version=target.python_minor,
        platform=target.platform,
        glibc=target.glibc,
        base=base,
        requirements=normalise(requirements),
        packages=tuple(sorted(packages)),
    )


def normalise(requirements: Iterable[str]) -> tuple[str, ...]:
    """Return the requirements in one spelling, sorted, each once."""
    return tuple(sorted({_spelling(Requirement(text)) for text in requirements}))


def _spelling(requirement: Requirement) -> str:
    requirement.name = canonicalize_name(requirement.name)
    return str(requirement)


def stale_reason(lock: Lock, requirements: Iterable[str], target: Target) -> str | None:
    """Say why a lock does not fit a project any more, or return None."""
    wanted = normalise(requirements)
    if lock.requirements != wanted:
        return _changed_requirements(lock.requirements, wanted)
    made_for = (lock.python_version, lock.platform, lock.glibc)
    now = (target.python_minor, target.platform, target.glibc)
    if made_for != now:
        return f"it was made for {_spoken(*made_for)}, and the image has {_spoken(*now)}"
    return None


def _changed_requirements(before: tuple[str, ...], now: tuple[str, ...]) -> str:
    added = [f"'{one}' is new" for one in now if one not in before]
    removed = [f"'{one}' is gone" for one in before if one not in now]
    return "the dependencies changed: " + ", ".join(added + removed)


def _spoken(python: str, platform: str, glibc: str) -> str:
    return f"Python {python} on {platform} with glibc {glibc}"


def dump_lock(lock: Lock) -> str:
    """Return the text of leoflow.lock: one package per line of a diff."""
    document = {"schema_version": SCHEMA_VERSION, **asdict(lock)}
    return json.dumps(document, indent=2) + "\n"


def parse_lock(text: str) -> Lock:
    """Return the lock that a text holds; ProjectError if it is none, or of a newer leoflow."""
    try:
        document = json.loads(text)
        version = document.pop("schema_version")
        if version != SCHEMA_VERSION:
            raise _bad(f"has schema_version '{version}', and this leoflow knows {SCHEMA_VERSION}")
        return _lock(document)
    except json.JSONDecodeError as error:
        raise _bad(f"is not JSON: {error.msg}", error.lineno) from None
    except KeyError as error:
        raise _bad(f"is not a lock of leoflow's: it has no {error}") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise _bad(f"is not a lock of leoflow's: {error!r}") from None


def read_lock(folder: Path) -> Lock | None:
    """Return the lock beside a project, or None where there is none; ProjectError if it is bad."""
    try:
        return parse_lock((folder / LOCK_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise _bad(f"is not UTF-8: {error}") from None


def _lock(document: Mapping[str, Any]) -> Lock:
    packages = tuple(LockedPackage(**one) for one in document["packages"])
    requirements = normalise(document["requirements"])
    lock = Lock(**{**document, "packages": packages, "requirements": requirements})
    texts = [lock.python_version, lock.platform, lock.glibc, lock.base]
    texts += [cast(str, value) for one in packages for value in asdict(one).values()]
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{text!r} is no text")
    return lock


def _bad(what: str, line: int | None = None) -> ProjectError:
    return ProjectError([Problem(LOCK_NAME, line, f"the file {what}. {_REMAKE}")])


def pinned_requirements(lock: Lock) -> str:
    """Return a requirements file that allows exactly the locked wheels, checked by their hashes."""
    lines = [f"{one.name}=={one.version} --hash=sha256:{one.sha256}\n" for one in lock.packages]
    return "".join(lines)
