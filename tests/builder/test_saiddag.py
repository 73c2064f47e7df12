"""What is said of a DAG as a whole, and what cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_agent.spec import Schedule, Webhook
from leoflow_builder.dagentry import DagEntry
from leoflow_builder.saiddag import SaidDag
from leoflow_builder.writtenmodel import plain

START = "2026-01-01"


def said(**entry: Any) -> SaidDag:
    return SaidDag(plain(DagEntry.model_validate(entry)))


def test_nothing_said_leaves_every_default() -> None:
    assert said().spec_fields() == {"tags": (), "schedule": None}


def test_what_is_said_becomes_fields_of_the_spec() -> None:
    found = said(
        schedule="@daily",
        timezone="Europe/Vienna",
        start_date=START,
        end_date="2026-07-01T12:00:00Z",
        catchup=True,
        max_active_runs=2,
        max_active_tasks=3,
        dagrun_timeout_seconds=60.0,
        is_paused_upon_creation=True,
        staging="1Gi",
        on_success_webhooks=["https://example.org/ok"],
        on_failure_webhooks=[{"connection": "pager"}],
    )
    assert found.problems() == []
    assert found.spec_fields() == {
        "schedule": Schedule("cron", "0 0 * * *"),
        "timezone": "Europe/Vienna",
        "start_date": "2026-01-01T00:00:00+01:00",
        "end_date": "2026-07-01T12:00:00+00:00",
        "catchup": True,
        "max_active_runs": 2,
        "max_active_tasks": 3,
        "dagrun_timeout_seconds": 60.0,
        "is_paused_upon_creation": True,
        "staging_bytes": 2**30,
        "on_success": (Webhook(url="https://example.org/ok"),),
        "on_failure": (Webhook(connection="pager"),),
        "tags": (),
    }


def test_a_continuous_dag_has_one_run_at_a_time() -> None:
    assert said(schedule="@continuous").spec_fields()["max_active_runs"] == 1


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"start_date": START, "end_date": "2025-12-31"}, "is after end_date"),
        ({"schedule": "@daily", "catchup": True}, "catchup needs start_date"),
        ({"catchup": True, "start_date": START}, "catchup needs a schedule"),
        ({"schedule": "@once", "catchup": True, "start_date": START}, "catchup needs a schedule"),
        ({"schedule": "@continuous", "max_active_runs": 2}, "needs max_active_runs 1, not 2"),
    ],
)
def test_what_cannot_be_meant_is_told(entry: dict[str, Any], message: str) -> None:
    (problem,) = said(**entry).problems()
    assert message in problem


@pytest.mark.parametrize(
    "entry",
    [
        {"start_date": START, "end_date": START},
        {"schedule": "@daily", "catchup": True, "start_date": START},
        {"schedule": {"interval_seconds": 60}, "catchup": True, "start_date": START},
        {"schedule": "@continuous", "max_active_runs": 1},
        {"catchup": False},
    ],
)
def test_what_can_be_meant_is_no_problem(entry: dict[str, Any]) -> None:
    assert said(**entry).problems() == []
