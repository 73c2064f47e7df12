"""Runs that must not start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from house import SETTINGS, make_dag, make_task
from leoflow_agent.action import HttpAction
from leoflow_controlplane.admission import admit
from leoflow_controlplane.controlplane import NO_SECRETS
from leoflow_controlplane.error import RunRefused
from leoflow_controlplane.model import RunRequest
from leoflow_controlplane.secretsource import FakeSecrets

DAG = make_dag(make_task("a"), make_task("b", "a"))

REFUSED = [
    ({"logical_date": "yesterday"}, "logical date 'yesterday' is not ISO 8601"),
    ({"logical_date": "2026-01-01T00:00:00"}, "with an offset"),
    ({"conf": {"x": float("nan")}}, "conf is not JSON"),
    ({"conf": {"x": "y" * 50_000}}, "conf and params are 5"),
    ({"task_id": "c"}, "has no task 'c'. It has: a, b."),
    ({"inputs": {"a": 1}}, "no task to run alone"),
    ({"task_id": "b"}, "task 'b' reads from 'a'. Give its value: --input '{\"a\": \"…\"}'"),
    ({"task_id": "a", "inputs": {"x": 1}}, "task 'a' reads nothing from 'x'. It reads from: none"),
    ({"task_id": "b", "inputs": {"a": "x" * 300_000}}, "over the limit 262144"),
]


@pytest.mark.parametrize(("fields", "text"), REFUSED)
def test_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(RunRefused) as caught:
        admit(RunRequest(DAG, "i", **fields), SETTINGS, NO_SECRETS)
    assert text in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(RunRefused) as caught:
        admit(RunRequest(DAG, "i", logical_date="x", task_id="c"), SETTINGS, NO_SECRETS)
    assert len(str(caught.value).splitlines()) == 2


def test_an_inline_call_that_declares_too_much_time_is_refused() -> None:
    task = make_task("h", action=HttpAction("http://h"), execution_timeout_seconds=301.0)
    with pytest.raises(RunRefused, match=r"dag.py:1: task 'h'.*301.*300.*execution_mode: pod"):
        admit(RunRequest(make_dag(task), "i"), SETTINGS, NO_SECRETS)


def test_what_is_right_is_admitted() -> None:
    admit(
        RunRequest(DAG, "i", logical_date="2026-01-01T00:00:00+01:00", conf={"a": 1}),
        SETTINGS,
        NO_SECRETS,
    )
    admit(RunRequest(DAG, "i", task_id="b", inputs={"a": None}), SETTINGS, NO_SECRETS)


def test_inputs_may_stand_for_whatever_comes_before_and_may_be_pulled() -> None:
    far = make_task("c")
    dag = make_dag(make_task("a"), make_task("b", "a"), replace(far, upstream_task_ids=("b",)))
    admit(RunRequest(dag, "i", task_id="c", inputs={"a": 1, "b": 2}), SETTINGS, NO_SECRETS)


def test_what_a_task_declares_has_to_be_there_before_the_run_starts() -> None:
    task = make_task("a", variables=("region",), connections=("db", "Web"))
    with pytest.raises(RunRefused) as caught:
        admit(RunRequest(make_dag(task), "i"), SETTINGS, FakeSecrets({"region": ""}, {"db": "x"}))
    assert str(caught.value) == (
        "dag.py:1: task 'a' declares the connection 'Web', but AIRFLOW_CONN_WEB is not set where "
        "leoflow runs. Set it, for example "
        "AIRFLOW_CONN_WEB='postgres://user:password@host:5432/database'."
    )


def test_only_what_runs_needs_what_it_declares() -> None:
    dag = make_dag(make_task("a", variables=("region",)), make_task("b"))
    admit(RunRequest(dag, "i", task_id="b"), SETTINGS, NO_SECRETS)
