"""What a request implies for its task, and what the task lacks for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from leoflow_agent.action import (
    BashAction,
    FromEnvironment,
    HttpAction,
    HttpCondition,
    HttpPoll,
)
from leoflow_agent.spec import Quantities, Resources, Source, TaskSpec
from leoflow_builder.httprule import check_task

POLL = HttpPoll(HttpCondition(status=(200,)), 10.0)


def make_task(action: HttpAction | BashAction, seconds: float | None = None) -> TaskSpec:
    resources = Resources(Quantities(1, 1))
    return TaskSpec("t", action, resources, Source("dag.py", 1), execution_timeout_seconds=seconds)


def test_a_file_needs_a_folder() -> None:
    action = HttpAction("http://x/", execution_mode="pod", save_as="rows")
    task, messages = check_task(make_task(action), 300)
    assert task.artifacts
    assert messages == []


@pytest.mark.parametrize("action", [BashAction("ls"), HttpAction("http://x/")])
def test_other_tasks_stay_as_they_are(action: HttpAction | BashAction) -> None:
    task = make_task(action)
    assert check_task(task, 300) == (task, [])


@pytest.mark.parametrize(
    ("mode", "seconds", "message"),
    [
        ("pod", None, "poll in a container needs execution_timeout_seconds, after which"),
        ("pod", 900.0, None),
        ("pod", 10.0, "poll.interval_seconds is 10, and the task ends after 10 s, before the"),
        ("inline", None, None),
        ("inline", 10.0, "poll.interval_seconds is 10, and the task ends after 10 s, before the"),
    ],
)
def test_a_poll_has_to_end_some_time(mode: str, seconds: float | None, message: str | None) -> None:
    action = HttpAction("http://x/", poll=POLL, execution_mode=mode)  # type: ignore[arg-type]
    found = check_task(make_task(action, seconds), 300)[1]
    assert [text[: len(message or "") + 10] for text in found] == (
        [f"task 't': {message}"] if message else []
    )


def test_the_cap_of_inline_calls_ends_a_poll_too() -> None:
    action = HttpAction("http://x/", poll=POLL)
    assert check_task(make_task(action), 5)[1] != []


@pytest.mark.parametrize(
    ("mode", "name", "message"),
    [
        ("inline", "AIRFLOW_VAR_TOKEN", None),
        ("pod", "AIRFLOW_CONN_DB", None),
        ("inline", "SET", None),
        ("pod", "AIRFLOW_VAR_OTHER", "reads AIRFLOW_VAR_OTHER, which the task does not declare: "),
        ("inline", "AIRFLOW_CONN_API", "does not declare: add connections: [api]"),
        ("inline", "THE_SERVERS_OWN", "which an inline task does not have: write it under"),
        ("pod", "THE_IMAGES_OWN", None),
    ],
)
def test_what_is_read_has_to_be_declared(mode: str, name: str, message: str | None) -> None:
    read = {"X-Token": FromEnvironment(name)}
    action = HttpAction("http://x/", headers=read, execution_mode=mode)  # type: ignore[arg-type]
    task = replace(make_task(action), variables=("Token",), connections=("db",))
    found = check_task(task, 300, {"SET": "x"})[1]
    assert [text.startswith("task 't': headers.X-Token reads ") for text in found] == [True] * bool(
        message
    )
    assert (message or "") in "".join(found)


def test_a_url_and_a_query_are_looked_at_too() -> None:
    action = HttpAction(FromEnvironment("A"), query={"key": FromEnvironment("B")})
    assert len(check_task(make_task(action), 300)[1]) == 2
