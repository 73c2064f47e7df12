"""What in a pushed DAG could not run, or would harm the control plane that runs it. Pure.

The builder checks what people write; a pushed document may come from anywhere, so nothing that
the control plane relies on is taken from the builder's word. Each problem is one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from leoflow_agent.podname import bad_dns_name
from leoflow_agent.spec import BuiltDag, DagSpec, ImageRef, Schedule

from leoflow_controlplane.taskcheck import (
    MOST_BYTES,
    check_count,
    check_id,
    check_seconds,
    check_task,
    check_webhooks,
    references,
)
from leoflow_controlplane.timetable.timetable import YEARS

_REFERENCE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:/@\-]{0,510}[A-Za-z0-9_])?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CRON_FIELDS = 5
# More often a control plane would do nothing else.
_LEAST_INTERVAL_SECONDS = 1.0


def check_dag(built: BuiltDag) -> Iterator[str]:
    """Say all that is wrong with a DAG, its tasks and its image."""
    spec = built.spec
    yield from _check_image(built.image)
    yield from check_id("dag_id", spec.dag_id)
    yield from check_count("max_active_runs", spec.max_active_runs, 1)
    yield from check_count("max_active_tasks", spec.max_active_tasks, 1)
    yield from check_seconds("dagrun_timeout_seconds", spec.dagrun_timeout_seconds)
    yield from check_count("staging_bytes", spec.staging_bytes, 1, MOST_BYTES)
    if spec.staging_storage_class is not None:
        problem = bad_dns_name(spec.staging_storage_class)
        if problem is not None:
            yield f"staging_storage_class {problem}"
    for name in spec.environment:
        if not _VARIABLE.fullmatch(name):
            yield f"'{name[:250]}' cannot be the name of an environment variable"
    yield from check_webhooks((*spec.on_success, *spec.on_failure))
    yield from _check_dates(spec)
    if spec.schedule is not None:
        yield from _check_schedule(spec.schedule, spec.max_active_runs)
    yield from _check_tasks(spec)
    yield from _check_groups(spec)


def _check_image(image: ImageRef) -> Iterator[str]:
    if not _REFERENCE.fullmatch(image.reference) or ".." in image.reference:
        yield f"image.reference '{image.reference[:250]}' is no name of an image"
    if image.digest is not None and not _DIGEST.fullmatch(image.digest):
        yield f"image.digest '{image.digest[:80]}' is no digest: it is sha256: and 64 digits"


def _check_dates(spec: DagSpec) -> Iterator[str]:
    try:
        ZoneInfo(spec.timezone)
    except (KeyError, ValueError, OSError):
        yield f"timezone '{spec.timezone[:80]}' is no time zone (IANA) that is known here"
    dates = {}
    for name, text in (("start_date", spec.start_date), ("end_date", spec.end_date)):
        if text is None:
            continue
        dates[name] = date = _read(text)
        if date is None:
            yield (
                f"{name} '{text[:80]}' is not ISO 8601 with an offset in the years "
                f"{YEARS.start} to {YEARS.stop - 1}"
            )
    first, last = dates.get("start_date"), dates.get("end_date")
    if first is not None and last is not None and last < first:
        yield f"end_date '{spec.end_date}' is before start_date '{spec.start_date}'"


def _read(text: str) -> datetime | None:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return date if date.tzinfo is not None and date.year in YEARS else None


def _check_schedule(schedule: Schedule, max_active_runs: int) -> Iterator[str]:
    if (schedule.kind == "cron") != (schedule.cron is not None):
        yield "schedule.cron belongs to a schedule of kind 'cron', which has to have it"
    elif schedule.cron is not None:
        yield from _check_cron(schedule.cron)
    if (schedule.kind == "interval") != (schedule.interval_seconds is not None):
        yield "schedule.interval_seconds belongs to a schedule of kind 'interval', which needs it"
    else:
        yield from check_seconds(
            "schedule.interval_seconds", schedule.interval_seconds, _LEAST_INTERVAL_SECONDS
        )
    if schedule.kind == "continuous" and max_active_runs != 1:
        yield f"max_active_runs is {max_active_runs}, and has to be 1 for a continuous schedule"


def _check_cron(cron: str) -> Iterator[str]:
    reason = None if len(cron.split()) == _CRON_FIELDS else "it has to have five fields"
    try:
        if reason is None:
            next(CronSim(cron, datetime(2024, 1, 1)))
    except StopIteration:
        reason = "there is no such day"
    except CronSimError as error:
        reason = str(error).lower()
    if reason is not None:
        yield f"schedule.cron '{cron[:80]}' is no cron: {reason}"


def _check_tasks(spec: DagSpec) -> Iterator[str]:
    if not spec.tasks:
        yield f"DAG '{spec.dag_id[:250]}' has no tasks"
    places: dict[str, int] = {}
    for place, task in enumerate(spec.tasks):
        if task.task_id in places:
            yield f"task_id '{task.task_id[:250]}' is used twice"
        places.setdefault(task.task_id, place)
    for place, task in enumerate(spec.tasks):
        written = f"{task.source.file}:{task.source.line}: task '{task.task_id[:250]}'"
        for problem in check_task(task):
            yield f"{written}: {problem}"
        for name, verb in dict.fromkeys(references(task)):
            if name not in places:
                yield f"{written} {verb} '{name[:250]}', which the DAG does not have"
            elif places[name] >= place:
                yield (
                    f"{written} {verb} '{name}', which does not come before it: tasks have to be "
                    "in topological order, and there may be no circle"
                )


def _check_groups(spec: DagSpec) -> Iterator[str]:
    tasks = {task.task_id for task in spec.tasks}
    parents: dict[str, str | None] = {}
    for group in spec.task_groups:
        yield from check_id("group_id", group.group_id)
        if group.group_id in parents or group.group_id in tasks:
            yield f"group_id '{group.group_id[:250]}' is the id of another group or task"
        parents[group.group_id] = group.parent_group_id
        for name in group.task_ids:
            if name not in tasks:
                yield f"task group '{group.group_id[:250]}' has no task '{name[:250]}' to hold"
    for name, parent in parents.items():
        if parent is not None and parent not in parents:
            yield f"task group '{name[:250]}' is in '{parent[:250]}', which the DAG does not have"
    yield from _check_circle(parents)


def _check_circle(parents: dict[str, str | None]) -> Iterator[str]:
    outside: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        name: str | None = start
        while name in parents and name not in outside and name not in path:
            path[name] = None
            name = parents[name]
        if name in path:
            yield f"task group '{name}' is in itself"
            return
        outside.update(path)
