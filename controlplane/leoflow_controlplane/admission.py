"""Whether a DAG may be known here, or a run start as it was asked for. Pure.

Says everything that is wrong at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from leoflow_agent.inline_cap import check_inline_duration
from leoflow_agent.spec import BuiltDag, DagSpec

from leoflow_controlplane.dagcheck import check_dag
from leoflow_controlplane.error import DagRefused, RunRefused
from leoflow_controlplane.inputs import needed_xcoms
from leoflow_controlplane.model import RunRequest
from leoflow_controlplane.secretsource import SecretSource, find_missing
from leoflow_controlplane.setting import Settings

# A document that is wrong in each of its 10,000 tasks needs no answer as long as itself.
_MOST_SAID = 50


def admit(request: RunRequest, settings: Settings, secrets: SecretSource) -> None:
    """Raise RunRefused with one line for each thing that is wrong with ``request``.

    ``secrets`` has to have all that the tasks which will run declare.
    """
    problems = [
        *check_inline_duration(request.spec, settings.inline_http_max_seconds),
        *_check_date(request.logical_date),
        *_check_conf(request, settings),
        *_check_selection(request, settings),
        *_check_secrets(request, secrets),
    ]
    if problems:
        raise RunRefused("\n".join(problems))


def admit_dag(built: BuiltDag, settings: Settings) -> None:
    """Raise DagRefused with one line for each thing in ``built`` that cannot run here."""
    spec = built.spec
    problems = [
        *check_dag(built),
        *check_inline_duration(spec, settings.inline_http_max_seconds),
    ]
    size = len(json.dumps(dict(spec.params)))
    if size > settings.conf_limit_bytes:
        problems.append(
            f"params are {size} bytes of JSON, more than the limit of "
            f"{settings.conf_limit_bytes}. Pass large values as a file of the project."
        )
    if problems:
        more = len(problems) - _MOST_SAID
        said = [*problems[:_MOST_SAID], *([f"and {more} more"] if more > 0 else [])]
        raise DagRefused("\n".join(said))


def _check_date(logical_date: str | None) -> Iterator[str]:
    if logical_date is None:
        return
    try:
        known = datetime.fromisoformat(logical_date).tzinfo is not None
    except ValueError:
        known = False
    if not known:
        yield (
            f"logical date '{logical_date}' is not ISO 8601 with an offset. "
            "Write it like '2026-01-31T00:00:00+00:00'."
        )


def _check_conf(request: RunRequest, settings: Settings) -> Iterator[str]:
    try:
        size = len(json.dumps([request.conf, dict(request.spec.params)], allow_nan=False))
    except (TypeError, ValueError) as error:
        yield f"conf is not JSON: {error}."
        return
    if size > settings.conf_limit_bytes:
        yield (
            f"conf and params are {size} bytes of JSON, more than the limit of "
            f"{settings.conf_limit_bytes}. Pass large values as a file of the project."
        )


def _check_secrets(request: RunRequest, secrets: SecretSource) -> Iterator[str]:
    for task in request.spec.tasks:
        if request.task_id in (None, task.task_id):
            yield from find_missing(task, secrets)


def _check_selection(request: RunRequest, settings: Settings) -> Iterator[str]:
    names = [task.task_id for task in request.spec.tasks]
    if request.task_id is None:
        if request.inputs:
            yield "inputs are given, but no task to run alone. Name one with --task."
        return
    if request.task_id not in names:
        yield (
            f"DAG '{request.spec.dag_id}' has no task '{request.task_id}'. "
            f"It has: {', '.join(names)}."
        )
        return
    inputs = request.inputs or {}
    needed = {name for name, _ in needed_xcoms(request.spec.task(request.task_id).action)}
    # What comes before it may be pulled while it runs.
    readable = needed | _ancestors(request.spec, request.task_id)
    for name in sorted(set(inputs) - readable):
        known = ", ".join(sorted(readable)) or "none"
        yield f"task '{request.task_id}' reads nothing from '{name}'. It reads from: {known}."
    for name in sorted(needed - set(inputs)):
        example = json.dumps({name: "…"}, ensure_ascii=False)
        yield f"task '{request.task_id}' reads from '{name}'. Give its value: --input '{example}'."
    for name, value in inputs.items():
        size = len(json.dumps(value))
        if size > settings.xcom_limit_bytes:
            yield f"the input '{name}' is {size} bytes, over the limit {settings.xcom_limit_bytes}."


def _ancestors(spec: DagSpec, task_id: str) -> set[str]:
    found: set[str] = set()
    waiting = [task_id]
    while waiting:
        fresh = set(spec.task(waiting.pop()).upstream_task_ids) - found
        found |= fresh
        waiting += fresh
    return found
