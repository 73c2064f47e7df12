"""What the fields of an http_api task mean together, and what one mode cannot do. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from leoflow_agent.action import FromEnvironment, HttpAction, HttpCondition
from leoflow_agent.spec import TaskSpec

from leoflow_builder.written import Complaint

_AIRFLOWS = {"AIRFLOW_VAR_": "variables", "AIRFLOW_CONN_": "connections"}


def check_fields(action: HttpAction) -> list[Complaint]:
    """Return what is wrong with fields that are right one by one."""
    return [*_check_codes(action), *_check_poll(action), *_check_save_as(action)]


def check_task(
    task: TaskSpec, inline_cap_seconds: float, environment: Collection[str] = ()
) -> tuple[TaskSpec, list[str]]:
    """Return the task with what its request implies, and what it lacks for that request.

    A file needs a folder for artifacts; a poll needs a time at which it gives up; a variable that
    is read has to be declared, by the task or among the names of the DAG's ``environment``.
    """
    action = task.action
    if not isinstance(action, HttpAction):
        return task, []
    messages = [
        *_check_time(task, action, inline_cap_seconds),
        *_check_declared(task, action, environment),
    ]
    if action.save_as is not None:
        task = replace(task, artifacts=True)
    return task, [f"task '{task.task_id}': {message}" for message in messages]


def _check_codes(action: HttpAction) -> Iterator[Complaint]:
    for code in action.retry_codes:
        if code in action.success_codes:
            text = f"retry_codes has {code}, which is in success_codes too: remove it from one"
            yield Complaint(("retry_codes",), text)


def _check_poll(action: HttpAction) -> Iterator[Complaint]:
    if action.poll is None:
        return
    if action.pagination is not None:
        text = "poll and pagination do not go together: wait in one task, and fetch in the next"
        yield Complaint(("pagination",), text)
    for code in action.poll.until.status or ():
        if code not in action.success_codes:
            text = (
                f"poll.until.status has {code}, which is not in success_codes, so that such an "
                "answer fails the task: add it to success_codes"
            )
            yield Complaint(("poll", "until", "status"), text)


def _check_save_as(action: HttpAction) -> Iterator[Complaint]:
    if action.save_as is None:
        return
    if action.execution_mode == "inline":
        text = "save_as needs execution_mode: pod: an inline call has no folder for files"
        yield Complaint(("save_as",), text)
    if action.poll is not None and not _is_plain(action.poll.until, action.poll.fail_when):
        text = (
            "save_as with poll: 'until' has to have a 'status', and no condition a 'path': the "
            "answer goes to the file unread. Wait in one task, and fetch in the next"
        )
        yield Complaint(("save_as",), text)


def _is_plain(until: HttpCondition, fail_when: HttpCondition | None) -> bool:
    paths = [condition.path for condition in (until, fail_when) if condition is not None]
    return until.status is not None and not any(paths)


def _check_time(task: TaskSpec, action: HttpAction, inline_cap_seconds: float) -> Iterator[str]:
    if action.poll is None:
        return
    limit = task.execution_timeout_seconds
    if limit is None and action.execution_mode == "pod":
        yield (
            "poll in a container needs execution_timeout_seconds, after which it gives up: without "
            "it a job that never ends is polled for ever"
        )
        return
    limit = inline_cap_seconds if limit is None else limit
    interval = action.poll.interval_seconds
    if interval >= limit:
        yield (
            f"poll.interval_seconds is {interval:g}, and the task ends after {limit:g} s, before "
            "the second attempt: lower the one, or raise execution_timeout_seconds"
        )


def _check_declared(
    task: TaskSpec, action: HttpAction, environment: Collection[str]
) -> Iterator[str]:
    given = {f"AIRFLOW_VAR_{name.upper()}" for name in task.variables}
    given |= {f"AIRFLOW_CONN_{name.upper()}" for name in task.connections}
    for place, name in _variables_read(action):
        prefix = next((prefix for prefix in _AIRFLOWS if name.startswith(prefix)), None)
        if name in given or name in environment:
            continue
        if prefix is not None:
            missing = f"{_AIRFLOWS[prefix]}: [{name.removeprefix(prefix).lower()}]"
            yield f"{place} reads {name}, which the task does not declare: add {missing}"
        elif action.execution_mode == "inline":
            yield (
                f"{place} reads {name}, which an inline task does not have: write it under "
                "environment in leoflow.yaml, or declare it as a variable or connection"
            )


def _variables_read(action: HttpAction) -> Iterator[tuple[str, str]]:
    if isinstance(action.url, FromEnvironment):
        yield "url", action.url.env
    for field, values in (("headers", action.headers), ("query", action.query)):
        for key, value in values.items():
            if isinstance(value, FromEnvironment):
                yield f"{field}.{key}", value.env
