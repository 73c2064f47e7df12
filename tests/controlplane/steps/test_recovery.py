"""What another process has left under way is taken up where it is known to be."""

from __future__ import annotations

import pytest
from ground import KEY, Ground, begin_call, rows
from house import make_call, make_task
from leoflow_controlplane.schema import tries
from leoflow_controlplane.steps import calling, ending, recovery
from leoflow_controlplane.verdict import Exit, Verdict


def test_a_try_whose_agent_was_never_seen_is_started_again_as_the_same(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a", retries=0))
    ground.restart()
    gone, _ = ground.step(recovery.recover, (), ground.now)
    assert (gone, ground.handed_out()) == ([], [key])
    assert ground.dispatches[0] == ground.dispatches[1]
    assert len(rows(ground, tries)) == 1


def test_a_try_whose_agent_was_seen_and_that_is_gone_has_failed(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a", retries=1, retry_delay_seconds=5.0))
    ground.report(key, {"seq": 1, "type": "started"})
    ground.restart()
    gone, _ = ground.step(recovery.recover, (), ground.now)
    assert (gone, ground.handed_out()) == ([key], [])
    assert ground.step(recovery.recover, {key}, ground.now)[0] == []
    open_ones = ground.step(recovery.find_open)
    assert (open_ones.tries, open_ones.runs) == ({key}, {KEY})
    end = (Exit(None, reason="gone"), None, None)
    ground.step(ending.close_tries, [ending.End(key, end[0], {})], ground.now)
    ground.step(ending.settle, key, end, ground.now)
    assert ground.states() == {"a": "up_for_retry"}


@pytest.mark.parametrize(
    ("method", "anew", "state"),
    [("GET", True, "running"), ("POST", False, "running"), ("POST", True, "failed")],
)
def test_a_call_that_a_crash_interrupted_is_made_again_if_that_can_do_no_harm(
    ground: Ground, method: str, anew: bool, state: str
) -> None:
    key = begin_call(ground, make_call(method=method, retries=0))
    ground.restart()
    ground.step(recovery.recover, (), ground.now, anew=anew)
    assert ground.states() == {"h": state}
    assert ground.handed_out() == ([] if state == "failed" else [key])
    if state != "failed":
        told = calling.Told(key, ground.now, (), Verdict("success"), "1")
        ground.step(calling.move_calls, [told], 1, ground.now)
        assert ground.result().tasks[0].return_value == 1
    assert not ground.book.runs
