"""What agents report: once, in order, and only from the try that counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ground import KEY, Ground, open_ground
from house import SETTINGS, make_task
from hypothesis import given, settings
from hypothesis import strategies as st
from leoflow_agent import exitcode
from leoflow_agent.action import XCom
from leoflow_agent.spec import Expansion
from leoflow_controlplane.error import Conflict, Stale, Unauthorized
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.steps import due, ending, report, run
from leoflow_controlplane.store.result import load_log
from leoflow_controlplane.verdict import Exit

FIRST = TryKey("d", "r", "a", -1, 1)
STARTED = {"seq": 1, "type": "started", "agent_up": 1.0}


def log(seq: int, text: str = "") -> dict[str, Any]:
    return {"seq": seq, "type": "log", "text": text or str(seq), "stream": "stdout"}


def finished(seq: int, state: str = "success") -> dict[str, Any]:
    return {"seq": seq, "type": "finished", "state": state, "reason": None, "exit_code": 0}


def logs(ground: Ground) -> list[str]:
    return [entry.text for entry in ground.read(load_log, FIRST)]


def begin(ground: Ground, **task: Any) -> Ground:
    assert ground.submit(make_task("a", **{"retries": 1, "retry_delay_seconds": 5.0, **task})) == [
        FIRST
    ]
    return ground


def test_events_are_taken_once(ground: Ground) -> None:
    begin(ground)
    assert ground.report(FIRST, STARTED, log(2))["ack"] == 2
    assert ground.report(FIRST, STARTED, log(2), log(3))["ack"] == 3
    assert logs(ground) == ["2", "3"]


def test_nothing_after_a_gap_is_acknowledged(ground: Ground) -> None:
    begin(ground)
    assert ground.report(FIRST, STARTED, log(3))["ack"] == 1
    assert logs(ground) == []
    assert ground.report(FIRST, log(2), log(3))["ack"] == 3


def test_the_first_nonce_binds_the_token(ground: Ground) -> None:
    begin(ground)
    ground.report(FIRST, STARTED, nonce="mine")
    with pytest.raises(Unauthorized, match="another agent"):
        ground.report(FIRST, log(2), nonce="theirs")
    assert ground.report(FIRST, log(2), nonce="mine")["ack"] == 2


def test_the_token_of_a_run_that_was_deleted_is_unknown(ground: Ground) -> None:
    with pytest.raises(Unauthorized, match="unknown token"):
        ground.report(FIRST, STARTED)


def test_an_older_try_changes_nothing(ground: Ground) -> None:
    begin(ground)
    ground.report(FIRST, STARTED, finished(2, "failed"))
    assert ground.states() == {"a": "up_for_retry"}
    ground.step(due.come_due, (), 110.0)
    assert ground.states() == {"a": "queued"}
    assert ground.report(FIRST, finished(2, "failed"))["ack"] == 2
    with pytest.raises(Stale):
        ground.report(FIRST, finished(3))
    assert ground.states() == {"a": "queued"}


@pytest.mark.parametrize("container_gone", [False, True])
def test_the_last_report_can_be_repeated(ground: Ground, container_gone: bool) -> None:
    begin(ground)
    ground.report(FIRST, STARTED, finished(2))
    if container_gone:
        ground.step(ending.close_tries, [ending.End(FIRST, Exit(0), {})], 101.0)
        assert not ground.book.runs
    assert ground.report(FIRST, STARTED, finished(2))["ack"] == 2
    with pytest.raises(Stale):
        ground.report(FIRST, log(3))
    with pytest.raises(Stale):
        ground.report(FIRST)
    with pytest.raises(Unauthorized):
        ground.report(FIRST, finished(2), nonce="theirs")
    assert ground.states() == {"a": "success"}


def test_a_value_that_is_too_deep_to_be_read_again_fails_its_task(ground: Ground) -> None:
    """It ended the scheduler, and that of each process that took the lead after it."""
    mapped = make_task("b", "a", expansion=Expansion({"x": XCom("a")}))
    (key,) = ground.submit(make_task("a", retries=0), mapped)
    deep = json.loads("[" * 700 + "]" * 700)
    ground.report(key, STARTED, {"seq": 2, "type": "xcom", "key": "return_value", "value": deep})
    ground.report(key, finished(3))
    assert ground.states() == {"a": "failed", "b": "upstream_failed"}
    assert "more than 500 deep" in str(ground.result().tasks[0].reason)


def test_nothing_follows_a_finish(ground: Ground) -> None:
    begin(ground)
    assert ground.report(FIRST, STARTED, finished(2), log(3))["ack"] == 2
    assert logs(ground) == []


def test_a_try_can_finish_without_having_started(ground: Ground) -> None:
    begin(ground)
    assert ground.report(FIRST, finished(1, "failed"))["ack"] == 1
    assert ground.states() == {"a": "up_for_retry"}


def test_an_agent_that_is_told_to_stop_may_still_say_what_it_does(ground: Ground) -> None:
    begin(ground)
    ground.report(FIRST, STARTED)
    ground.step(run.cancel, KEY, 101.0)
    assert ground.result().state == "failed"
    assert ground.report(FIRST)["terminate"] == "the run was cancelled"
    assert ground.report(FIRST, log(2), finished(3, "success"))["ack"] == 3
    assert logs(ground) == ["2"]
    assert ground.states() == {"a": "failed"}
    with pytest.raises(Stale):
        ground.report(FIRST, log(4))


def test_inputs_belong_to_the_try_that_counts(ground: Ground) -> None:
    begin(ground)
    assert ground.step(report.give_inputs, FIRST)[1]["args"] == []
    ground.report(FIRST, finished(1))
    with pytest.raises(Stale):
        ground.step(report.give_inputs, FIRST)


def test_the_deadline_of_a_start_becomes_that_of_the_run(ground: Ground) -> None:
    begin(ground, execution_timeout_seconds=5.0)
    assert ground.progress.next_due == 100.0 + SETTINGS.start_allowance_seconds
    ground.now = 102.0
    ground.report(FIRST, STARTED)
    rest = SETTINGS.grace_seconds + SETTINGS.removal_allowance_seconds
    assert ground.progress.next_due == pytest.approx(102.0 + 5.0 + rest)


def test_a_try_whose_executor_is_at_work_has_the_time_that_it_takes(ground: Ground) -> None:
    begin(ground)
    ground.step(due.come_due, {FIRST}, 300.0)
    assert not ground.progress.stops
    ground.step(due.come_due, (), 300.0 + SETTINGS.start_allowance_seconds)
    assert [stop.key for stop in ground.progress.stops] == [FIRST]


def test_a_pod_whose_agent_is_silent_is_given_up_soon_after_its_allowance(ground: Ground) -> None:
    """It counts as starting until it has run for that long, which nobody tells of."""
    begin(ground)
    ground.step(due.come_due, {FIRST}, 300.0, "Look at its network.")
    soon = 300.0 + SETTINGS.start_allowance_seconds / due.LOOKS_AT_A_POD
    assert ground.progress.next_due == soon
    ground.step(due.come_due, (), soon, "Look at its network.")
    assert [stop.key for stop in ground.progress.stops] == [FIRST]


def test_a_pod_whose_agent_has_told_its_end_is_no_start(ground: Ground) -> None:
    """It may be gone unseen, and would count as starting for long."""
    begin(ground)
    told_to_stop = {**finished(2, "failed"), "exit_code": exitcode.TERMINATED}
    ground.report(FIRST, STARTED, told_to_stop)
    ground.step(due.come_due, {FIRST}, 300.0, "Look at its network.")
    assert [stop.key for stop in ground.progress.stops] == [FIRST]


def test_a_run_id_is_given_once(ground: Ground) -> None:
    begin(ground)
    with pytest.raises(Conflict, match="already has a run 'r'"):
        ground.submit(make_task("a"))


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(1, 8), max_size=4), max_size=12))
def test_whatever_order_reports_arrive_in_each_event_is_taken_once_in_order(
    batches: list[list[int]],
) -> None:
    ground = begin(open_ground("sqlite://"))
    acked = 0
    for batch in batches:
        ack = ground.report(FIRST, *(log(seq) for seq in batch))["ack"]
        assert ack >= acked
        acked = ack
    assert logs(ground) == [str(seq) for seq in range(1, acked + 1)]
    ground.engine.dispose()
