"""Tries that are lost by no fault of the task's: what is written down, and what survives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ground import Ground
from house import make_task
from leoflow_agent import exitcode
from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.schema import task_instances, tries
from leoflow_controlplane.steps import due, ending, intervention, recovery, run
from leoflow_controlplane.verdict import Exit, Verdict, judge_code, judge_exit
from sqlalchemy import select

LOST = Exit(None, reason="node 'n1' is gone", machinery=True, loss="node")


def lose(ground: Ground, key: TryKey, exit: Exit = LOST) -> None:
    ground.step(ending.close_tries, [ending.End(key, exit, {})], ground.now)
    ground.step(ending.settle, key, (exit, None, None), ground.now)


def wait(ground: Ground, seconds: float = 60.0) -> list[TryKey]:
    ground.now += seconds
    ground.step(due.come_due, (), ground.now)
    return ground.handed_out()


def rows(ground: Ground, table: Any, *columns: str) -> list[tuple[Any, ...]]:
    wanted = [table.c[name] for name in columns]
    return ground.read(lambda c: [tuple(row) for row in c.execute(select(*wanted))])


def test_the_budget_survives_restarts_and_each_try_keeps_its_reason(durable: Ground) -> None:
    (key,) = durable.submit(make_task("a"))
    for number in (2, 3, 4):
        durable.report(key, {"seq": 1, "type": "started"})
        durable.restart()
        lose(durable, key)
        assert durable.progress.losses == ["node"]
        durable.restart()
        (key,) = wait(durable)
        assert key.try_number == number
    durable.restart()
    lose(durable, key)
    assert durable.progress.losses == []
    assert durable.states() == {"a": "failed"}
    found = rows(durable, tries, "try_number", "state", "reason")
    assert [state for _, state, _ in found] == ["failed"] * 4
    assert [reason for _, _, reason in found][:3] == ["node 'n1' is gone"] * 3
    assert found[3][2].endswith("3 times for such a reason, and machinery_retries allows no more")
    durable.step(intervention.clear, RunKey("d", "r"), (TaskSelection(["a"]), False), durable.now)
    (key,) = durable.handed_out()
    durable.restart()
    lose(durable, key)
    assert rows(durable, task_instances, "state", "max_tries", "machinery_tries") == [
        ("up_for_retry", 5, 1)
    ]


@pytest.mark.parametrize(("transient", "state"), [(True, "up_for_retry"), (False, "failed")])
def test_a_start_that_failed_is_tried_again_if_it_may_work_later(
    ground: Ground, transient: bool, state: str
) -> None:
    (key,) = ground.submit(make_task("a", retries=5, retry_delay_seconds=1000.0))
    ground.step(ending.fail_launch, key, ("no room", transient), ground.now)
    assert ground.states() == {"a": state}
    assert ground.progress.losses == (["launch"] if transient else [])


@pytest.mark.parametrize(
    ("exit", "state", "reason"),
    [
        (LOST._replace(code=exitcode.TERMINATED), "up_for_retry", "node 'n1' is gone"),
        (judge_code(exitcode.TERMINATED), "up_for_retry", "it was told to stop from outside"),
        (Exit(exitcode.TERMINATED), "failed", "the task was told to stop"),
    ],
)
def test_who_told_a_task_to_stop_is_for_its_executor_to_say(
    ground: Ground, exit: Exit, state: str, reason: str
) -> None:
    """Its agent reports it at once, and does not know whose fault it is."""
    (key,) = ground.submit(make_task("a"))
    end = {"type": "finished", "state": "failed", "reason": "stopped by signal 15"}
    events = ({"seq": 1, "type": "started"}, {**end, "seq": 2, "exit_code": exitcode.TERMINATED})
    assert ground.report(key, *events)["ack"] == 2
    assert ground.states() == {"a": "running"}
    ground.restart()
    assert ground.report(key, *events)["ack"] == 2
    lose(ground, key, exit)
    assert ground.states() == {"a": state}
    assert (ground.result().tasks[0].reason or "").startswith(reason)


@pytest.mark.parametrize("ends_after_all", [True, False])
def test_one_that_others_told_to_stop_and_whose_end_is_late_is_their_fault_as_well(
    ground: Ground, ends_after_all: bool
) -> None:
    (key,) = ground.submit(make_task("a"))
    end = {"type": "finished", "state": "failed", "reason": "stopped by signal 15"}
    events = ({"seq": 1, "type": "started"}, {**end, "seq": 2, "exit_code": exitcode.TERMINATED})
    ground.report(key, *events)
    wait(ground, 1000.0)
    if ends_after_all:
        lose(ground, key, Exit(exitcode.TERMINATED))
    else:
        wait(ground, 1000.0)
    assert ground.states() == {"a": "up_for_retry"}
    assert (ground.result().tasks[0].reason or "").startswith("it was told to stop from outside")


def test_a_task_that_we_told_to_stop_is_not_tried_again(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a", execution_timeout_seconds=1.0))
    ground.report(key, {"seq": 1, "type": "started"})
    wait(ground, 1000.0)
    lose(ground, key)
    assert ground.states() == {"a": "failed"}
    assert (ground.result().tasks[0].reason or "").startswith("timed out")


def _time_out(ground: Ground) -> None:
    wait(ground, 1000.0)


def _cancel(ground: Ground) -> None:
    ground.step(run.cancel, RunKey("d", "r"), ground.now)


def _clear(ground: Ground) -> None:
    asked = (TaskSelection(["a"]), False)
    ground.step(intervention.clear, RunKey("d", "r"), asked, ground.now)


@pytest.mark.parametrize(
    ("stop", "state", "reason"),
    [
        (_time_out, "failed", "timed out: it ran longer than"),
        (_cancel, "failed", "the run was cancelled"),
        (_clear, "queued", "the task was cleared"),
    ],
)
def test_a_stop_that_a_dead_process_asked_for_is_ours_and_not_a_loss(
    durable: Ground, stop: Callable[[Ground], None], state: str, reason: str
) -> None:
    """The next one sees a container that is gone, and does not know who has asked for that."""
    (key,) = durable.submit(make_task("a", execution_timeout_seconds=1.0))
    durable.report(key, {"seq": 1, "type": "started"})
    stop(durable)
    durable.restart()
    durable.step(recovery.find_open)
    durable.step(recovery.recover, {key}, durable.now)
    assert [asked.key for asked in durable.progress.stops] == [key]
    lose(durable, key, LOST._replace(reason="somebody deleted it", loss="deleted"))
    assert durable.progress.losses == []
    assert durable.states() == {"a": state}
    found = dict(rows(durable, tries, "try_number", "reason"))
    assert found[1].startswith(reason)


def test_a_container_that_stays_although_it_was_told_to_stop_is_ended(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a"))
    end = {"type": "finished", "state": "failed", "reason": None, "exit_code": exitcode.TERMINATED}
    ground.report(key, {"seq": 1, "type": "started"}, {**end, "seq": 2})
    wait(ground, 1000.0)
    assert [stop.key for stop in ground.progress.stops] == [key]
    wait(ground, 1000.0)
    assert "its container did not end" in (ground.result().tasks[0].reason or "")


@pytest.mark.parametrize(
    ("exit", "verdict"),
    [
        (Exit(0, machinery=True), "success"),
        (Exit(exitcode.SKIPPED, machinery=True), "skipped"),
        (Exit(137, oom_killed=True, machinery=True), "failed"),
        (Exit(137), "failed"),
    ],
)
def test_what_the_task_did_itself_is_its_own(exit: Exit, verdict: str) -> None:
    found = judge_exit(exit, make_task("a"), result_missing=False)
    assert (found.state, found.machinery) == (verdict, False)


@pytest.mark.parametrize(
    ("code", "machinery"), [(1, False), (124, False), (125, True), (137, False), (255, True)]
)
def test_whose_fault_an_exit_code_is(code: int, machinery: bool) -> None:
    assert judge_code(code).machinery is machinery


def test_the_executors_words_come_before_those_of_an_agent_that_was_told_to_stop() -> None:
    exit = LOST._replace(code=exitcode.TERMINATED)
    left = b'{"exit_code": 125, "reason": "stopped by signal 15"}'
    found = judge_exit(exit, make_task("a"), result_missing=False, left=left)
    assert found == Verdict("failed", "node 'n1' is gone", machinery=True, loss="node")
