"""The DAG and the lock inside of an image, of whichever leoflow wrote them. Pure.

Images outlive the leoflow that made them: what is missing or unknown is left out, never refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

DAG_PATH = "opt/leoflow/dag.json"
LOCK_PATH = "opt/leoflow/dag/leoflow.lock"
# One of them is mostly a link to the other.
RELEASE_PATHS = ("etc/os-release", "usr/lib/os-release")
_INSTALLED = re.compile(r"(?:^|/)(?:site|dist)-packages/([^/]+?)-([^/-]+)\.dist-info/")
_RUNS = re.compile(r"[-_.]+")


@dataclass(frozen=True)
class TaskView:
    """A task. CPU in thousandths of a core, memory in bytes; None where nothing is said."""

    task_id: str
    kind: str
    cpu_millis: int | None = None
    memory_bytes: int | None = None
    cpu_limit_millis: int | None = None
    memory_limit_bytes: int | None = None


@dataclass(frozen=True)
class DagView:
    """A DAG as its image tells it. ``spec_digest`` is that of the file it is told in."""

    dag_id: str
    spec_digest: str
    python_version: str
    tasks: tuple[TaskView, ...]


@dataclass(frozen=True, order=True)
class PackageView:
    """A package in an image: a wheel of ``origin`` "pypi", or one of Debian's, "debian".

    ``sha256`` and ``filename`` are empty where only the installed files tell of it.
    """

    origin: str
    name: str
    version: str
    filename: str = ""
    sha256: str = ""
    architecture: str = ""


def read_dag(content: bytes) -> DagView | None:
    """Return the DAG of a dag.json, or None if it is none."""
    document = _object(_parsed(content))
    if not isinstance(document.get("dag_id"), str):
        return None
    tasks = tuple(_task(_object(one)) for one in _list(document.get("tasks")))
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    python = str(document.get("python_version", ""))
    return DagView(str(document["dag_id"]), digest, python, tasks)


def _task(task: Mapping[str, object]) -> TaskView:
    resources = _object(task.get("resources"))
    requests, limits = _object(resources.get("requests")), _object(resources.get("limits"))
    return TaskView(
        task_id=str(task.get("task_id", "?")),
        kind=str(_object(task.get("action")).get("kind", "?")),
        cpu_millis=_number(requests.get("cpu_millis")),
        memory_bytes=_number(requests.get("memory_bytes")),
        cpu_limit_millis=_number(limits.get("cpu_millis")),
        memory_limit_bytes=_number(limits.get("memory_bytes")),
    )


def read_packages(
    content: bytes, platform: str, absent: Collection[str] = ()
) -> tuple[PackageView, ...] | None:
    """Return the packages that a leoflow.lock has for a platform, sorted; None if it is no lock.

    ``absent`` are names of Debian packages of the base that are not in the image: a lock pins its
    shell too. Schema 1 is for one platform, and schema 2 has them by platform.
    """
    document = _object(_parsed(content))
    if "schema_version" not in document:
        return None
    targets = _object(document.get("targets"))
    fitting = [one for name, one in targets.items() if _same_platform(name, platform)]
    target = _object(fitting[0]) if fitting else document
    wheels = _list(target.get("packages"))
    base = _views("debian", _list(_object(target.get("base")).get("debs")))
    there = [one for one in base if one.name not in absent]
    system = _views("debian", _list(target.get("system")))
    return tuple(sorted({*_views("pypi", wheels), *there, *system}))


def _same_platform(one: str, other: str) -> bool:
    return one.removesuffix("/v8") == other.removesuffix("/v8")


def _views(origin: str, entries: Iterable[object]) -> Iterator[PackageView]:
    for entry in map(_object, entries):
        if "name" in entry and "version" in entry:
            names = ("name", "version", "filename", "sha256", "architecture")
            yield PackageView(origin, *(str(entry.get(name, "")) for name in names))


def read_suite(release: bytes) -> str | None:
    """Return the release of Debian, such as "bookworm", that an os-release file names, or None.

    https://www.freedesktop.org/software/systemd/man/latest/os-release.html
    """
    pairs = (line.partition("=") for line in release.decode(errors="replace").splitlines())
    found = {name: value.strip("\"'") for name, _, value in pairs}
    return (found.get("VERSION_CODENAME") or None) if found.get("ID") == "debian" else None


def installed_packages(paths: Iterable[str]) -> tuple[PackageView, ...]:
    """Return the packages that the metadata of installed wheels tell of, by their paths alone.

    https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    """
    found = {match.groups() for path in paths if (match := _INSTALLED.search(path))}
    views = (PackageView("pypi", _RUNS.sub("-", name).lower(), version) for name, version in found)
    return tuple(sorted(views))


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _object(found: object) -> Mapping[str, object]:
    return found if isinstance(found, dict) else {}


def _list(found: object) -> list[object]:
    return found if isinstance(found, list) else []


def _number(found: object) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) else None
