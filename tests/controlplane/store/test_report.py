"""What agents report: once, in order, and only from the try that counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from house import SETTINGS, make_dag, make_task
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leoflow_agent.wire import Event, Report
from leoflow_controlplane.database import open_engine
from leoflow_controlplane.error import IllegalTransition, RunRefused, Stale, Unauthorized
from leoflow_controlplane.model import RunKey, RunRequest
from leoflow_controlplane.store import step
from leoflow_controlplane.store.attempt import Policy, find_try
from leoflow_controlplane.store.report import load_inputs, record_report
from leoflow_controlplane.store.result import load_log, load_result
from leoflow_controlplane.store.run import find_run
from leoflow_controlplane.store.transition import move_run
from sqlalchemy import Connection

KEY = RunKey("d", "r")


class Store:
    """A run of one task whose first try has been handed out."""

    def __init__(self, connection: Connection, **task: Any) -> None:
        tokens = iter(f"token-{number}" for number in range(1, 100))
        self.connection = connection
        self.policy = Policy("me", SETTINGS, lambda: next(tokens), str)
        request = RunRequest(make_dag(make_task("a", **task)), "i", logical_date="2026-01-01")
        (self.first,) = step.submit(connection, self.policy, request, KEY, 0.0).dispatches

    def report(self, *events: dict[str, Any], token: str = "token-1", nonce: str = "n") -> int:
        report = Report(protocol=1, nonce=nonce, events=[Event(at=1.0, **e) for e in events])  # type: ignore[typeddict-item]
        recorded = record_report(self.connection, self.policy, token, report, 2.0)
        return recorded.acknowledgement["ack"]

    def logs(self) -> list[str]:
        return [entry.text for entry in load_log(self.connection, KEY, "a", 1)]

    def state(self) -> str | None:
        return load_result(self.connection, KEY).tasks[0].state


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_engine(tmp_path / "state.db")
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


@pytest.fixture
def store(connection: Connection) -> Store:
    return Store(connection, retries=1)


def log(seq: int, text: str = "") -> dict[str, Any]:
    return {"seq": seq, "type": "log", "text": text or str(seq), "stream": "stdout"}


def finished(seq: int, state: str = "success") -> dict[str, Any]:
    return {"seq": seq, "type": "finished", "state": state, "reason": None, "exit_code": 0}


STARTED = {"seq": 1, "type": "started", "agent_up": 1.0}


def test_events_are_taken_once(store: Store) -> None:
    assert store.report(STARTED, log(2)) == 2
    assert store.report(STARTED, log(2), log(3)) == 3
    assert store.logs() == ["2", "3"]


def test_nothing_after_a_gap_is_acknowledged(store: Store) -> None:
    assert store.report(STARTED, log(3)) == 1
    assert store.logs() == []
    assert store.report(log(2), log(3)) == 3


def test_the_first_nonce_binds_the_token(store: Store) -> None:
    store.report(STARTED, nonce="mine")
    with pytest.raises(Unauthorized, match="another agent"):
        store.report(log(2), nonce="theirs")
    assert store.report(log(2), nonce="mine") == 2


def test_an_unknown_token_is_refused(store: Store) -> None:
    with pytest.raises(Unauthorized, match="unknown token"):
        store.report(STARTED, token="guess")


def test_an_older_try_changes_nothing(store: Store) -> None:
    store.report(STARTED, finished(2, "failed"))
    assert store.state() == "up_for_retry"
    step.come_due(store.connection, store.policy, 10.0)
    assert store.state() == "queued"
    with pytest.raises(Stale):
        store.report(finished(2, "failed"))
    with pytest.raises(Stale):
        store.report(finished(3))
    assert store.state() == "queued"


def test_the_last_report_can_be_repeated(store: Store) -> None:
    store.report(STARTED, finished(2))
    assert store.report(STARTED, finished(2)) == 2
    with pytest.raises(Stale):
        store.report(log(3))
    assert store.state() == "success"


def test_a_finished_try_that_reports_nothing_new_is_stale(store: Store) -> None:
    store.report(STARTED, finished(2))
    with pytest.raises(Stale):
        store.report()


def test_nothing_follows_a_finish(store: Store) -> None:
    assert store.report(STARTED, finished(2), log(3)) == 2
    assert store.logs() == []


def test_a_try_can_finish_without_having_started(store: Store) -> None:
    assert store.report(finished(1, "failed")) == 1
    assert store.state() == "up_for_retry"


def test_an_agent_is_told_to_stop(store: Store) -> None:
    store.report(STARTED)
    step.cancel(store.connection, store.policy, KEY, 3.0)
    report = Report(protocol=1, nonce="n", events=[])
    told = record_report(store.connection, store.policy, "token-1", report, 3.0)
    assert told.acknowledgement["terminate"] == "the run was cancelled"


def test_inputs_belong_to_the_try_that_counts(store: Store) -> None:
    assert load_inputs(store.connection, "token-1")[1]["args"] == []
    store.report(finished(1))
    with pytest.raises(Stale):
        load_inputs(store.connection, "token-1")


def test_the_deadline_of_a_start_becomes_that_of_the_run(connection: Connection) -> None:
    store = Store(connection, execution_timeout_seconds=5.0)
    assert find_try(connection, store.first.key).deadline_at == 120.0
    store.report(STARTED)
    expected = 2.0 + 5.0 + SETTINGS.grace_seconds + SETTINGS.removal_allowance_seconds
    assert find_try(connection, store.first.key).deadline_at == pytest.approx(expected)


def test_a_run_ends_once(store: Store) -> None:
    store.report(finished(1))
    step.advance(store.connection, store.policy, [KEY], 3.0)
    with pytest.raises(IllegalTransition, match="has ended already"):
        move_run(store.connection, find_run(store.connection, KEY).id, "failed", 4.0)


def test_a_run_id_is_given_once(store: Store) -> None:
    request = RunRequest(make_dag(), "i", logical_date="2026-01-01")
    with pytest.raises(RunRefused, match="already has a run 'r'"):
        step.submit(store.connection, store.policy, request, KEY, 0.0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.lists(st.integers(1, 8), max_size=4), max_size=12))
def test_whatever_order_reports_arrive_in_each_event_is_taken_once_in_order(
    connection: Connection, batches: list[list[int]]
) -> None:
    with connection.begin_nested() as savepoint:
        store = Store(connection)
        acked = 0
        for batch in batches:
            ack = store.report(*(log(seq) for seq in batch))
            assert ack >= acked
            acked = ack
        assert store.logs() == [str(seq) for seq in range(1, acked + 1)]
        savepoint.rollback()
