"""A run from its beginning to its end, as tries end and time goes by."""

from __future__ import annotations

import pytest
from leoflow_controlplane.error import IllegalTransition, NotFound
from leoflow_controlplane.liverun.change import Moved, RunMoved
from leoflow_controlplane.model import TaskState
from leoflow_controlplane.verdict import Verdict
from scene import Scene, mapped, task, teardown

A, B, C = task("a"), task("b", "a"), task("c", "b")


def test_what_waits_for_nothing_is_scheduled_when_the_run_begins() -> None:
    scene = Scene(A, B, task("x"), begun=False)
    assert scene.states() == {"a": None, "b": None, "x": None}
    scene.begin()
    assert scene.states() == {"a": "scheduled", "b": None, "x": "scheduled"}
    assert scene.changes[0] == RunMoved("running", None, False)
    assert scene.run.facts.started_at == scene.now


def test_a_failure_is_followed_to_the_end_at_once() -> None:
    scene = Scene(A, B, C)
    scene.end("a", "failed", reason="boom")
    moves = [c.state for c in scene.changes if isinstance(c, Moved)]
    assert moves == ["failed", "upstream_failed", "upstream_failed"]
    assert scene.reason("a") == "boom"
    assert scene.over == "failed"
    assert scene.run.facts.finished_at == scene.now


def test_the_run_is_what_its_leaves_are() -> None:
    scene = Scene(A, task("b", "a", trigger_rule="all_done"))
    scene.ends(a="failed", b="success")
    assert scene.over == "success"


def test_a_run_without_tasks_ends() -> None:
    assert Scene().over == "success"


def test_a_task_alone_runs_whatever_is_upstream_of_it() -> None:
    scene = Scene(A, task("b", "a", branch="branch", depends_on_past=True), C, selected="b")
    assert scene.states() == {"b": "scheduled"}
    scene.end("b", value="nobody")
    assert scene.over == "success"


def test_instants_are_kept() -> None:
    scene = Scene(A)
    item = scene.run.instance("a")
    scene.now += 1
    scene.start("a")
    scene.now += 1
    scene.end("a")
    assert (item.scheduled_at, item.started_at, item.finished_at) == (1000.0, 1001.0, 1002.0)


def test_a_failed_try_is_repeated_as_often_as_declared() -> None:
    scene = Scene(task("a", retries=2, retry_delay_seconds=5.0))
    for number in (1, 2):
        scene.end("a", "failed", reason="boom")
        assert (scene.state("a"), scene.reason("a")) == ("up_for_retry", "boom")
        assert scene.run.next_due() == scene.now + 5
        scene.wait(4.9)
        assert scene.state("a") == "up_for_retry"
        scene.wait(0.1)
        assert scene.state("a") == "scheduled"
        assert scene.run.instance("a").try_number == number
    scene.end("a", "failed")
    assert scene.over == "failed"
    assert scene.run.next_due() is None


def test_what_cannot_be_helped_by_trying_again_fails_at_once() -> None:
    scene = Scene(task("a", retries=2))
    scene.end("a", "failed", retryable=False)
    assert scene.over == "failed"


def test_a_try_that_never_began_can_fail() -> None:
    scene = Scene(task("a", retries=1))
    scene.step(scene.run.hand_out("a", -1, scene.now))
    scene.step(scene.run.end("a", -1, Verdict("failed", "no image"), scene.now))
    assert scene.state("a") == "scheduled"


@pytest.mark.parametrize("state", ["scheduled", "success"])
def test_only_an_open_try_can_end(state: str) -> None:
    scene = Scene(A, task("x"))
    if state == "success":
        scene.end("a")
    with pytest.raises(IllegalTransition, match=f"task 'a' is '{state}': no try of it is open"):
        scene.run.end("a", -1, Verdict("success"), scene.now)


def test_only_what_is_scheduled_is_handed_out() -> None:
    scene = Scene(A, B)
    with pytest.raises(IllegalTransition, match="task 'b' is 'None' and not scheduled"):
        scene.run.hand_out("b", -1, scene.now)


def test_what_the_run_does_not_have_is_not_found() -> None:
    scene = Scene(A)
    with pytest.raises(NotFound, match="no task 'z'"):
        scene.run.instance("z")
    with pytest.raises(NotFound, match="no instance with map index 3"):
        scene.run.instance("a", 3)


def test_a_run_that_takes_too_long_is_failed_and_stopped() -> None:
    scene = Scene(A, task("x"), task("y", "x"), dagrun_timeout_seconds=60.0)
    scene.start("a")
    assert scene.run.next_due() == scene.now + 60
    scene.wait(59)
    assert scene.over is None
    scene.wait(1)
    assert scene.states() == {"a": "skipped", "x": "skipped", "y": "skipped"}
    assert scene.stopped() == ["a"]
    assert scene.over == "failed"
    assert scene.run.facts.reason == "the run took longer than its dagrun_timeout_seconds"


class Yesterday:
    """How the run before stands; a test changes it."""

    def __init__(self, state: TaskState | None, downstream: bool = True) -> None:
        self.is_, self.downstream = state, downstream

    def state(self, task_id: str) -> TaskState | None:
        return self.is_

    def downstream_done(self, task_id: str) -> bool:
        return self.downstream


@pytest.mark.parametrize("state", [None, "running", "failed", "upstream_failed"])
def test_a_task_waits_for_itself_in_the_run_before(state: TaskState | None) -> None:
    past = Yesterday(state)
    scene = Scene(task("a", depends_on_past=True), past=past)
    assert scene.state("a") is None
    assert scene.over is None
    past.is_ = "skipped"
    scene.step(scene.run.wake(scene.now, ["a", "unknown"]))
    assert scene.state("a") == "scheduled"


def test_a_task_waits_for_what_was_downstream_in_the_run_before() -> None:
    past = Yesterday("success", downstream=False)
    scene = Scene(task("a", wait_for_downstream=True), past=past)
    assert scene.state("a") is None
    past.downstream = True
    scene.step(scene.run.wake(scene.now, ["a"]))
    assert scene.state("a") == "scheduled"


def test_what_is_skipped_does_not_wait_for_the_run_before() -> None:
    scene = Scene(A, task("b", "a", depends_on_past=True), past=Yesterday("failed"))
    scene.end("a", "skipped")
    assert scene.state("b") == "skipped"


def test_a_run_stands_for_the_run_after_it() -> None:
    scene = Scene(A, mapped("b", "a"), task("c", "a"))
    assert scene.run.task_state("b") is None
    scene.end("a", value=[1, 2])
    scene.ends(c="success")
    scene.end(("b", 0))
    assert scene.run.task_state("a") == "success"
    assert scene.run.task_state("b") == "scheduled"
    assert not scene.run.downstream_done("a")
    scene.end(("b", 1))
    assert scene.run.downstream_done("a")


def test_a_run_that_cannot_go_on_fails_and_says_so() -> None:
    scene = Scene(A, B)
    # No rule of today's leads here: it is what a spec of a later version might do.
    scene.run.ledger.tasks[0].tally.total = 1
    scene.run.ledger.move(scene.run.instance("a"), None)
    scene.changes = scene.run.wake(scene.now, [])
    assert scene.over == "failed"
    assert scene.states() == {"a": "skipped", "b": "skipped"}
    assert scene.run.facts.reason == (
        "the run could not go on: nothing runs, and nothing that is left may start"
    )


SCOPED = (
    task("s", is_setup=True),
    task("w", "s"),
    task("x", "w", trigger_rule="all_done"),
    teardown("t", "x", setups=["s"]),
)


def test_a_teardown_runs_though_the_work_failed_and_the_run_is_what_the_work_is() -> None:
    scene = Scene(*SCOPED)
    scene.ends(s="success", w="failed", x="failed")
    assert scene.state("t") == "scheduled"
    scene.end("t")
    assert scene.over == "failed"


def test_a_teardown_that_fails_does_not_fail_the_run() -> None:
    scene = Scene(*SCOPED)
    scene.ends(s="success", w="success", x="success", t="failed")
    assert scene.over == "success"


def test_in_the_scope_of_a_setup_a_task_waits_for_it_though_its_rule_does_not() -> None:
    late = task("late", "w", "z", trigger_rule="one_success")
    scene = Scene(task("z"), task("s", is_setup=True), task("w", "s"), late)
    scene.end("z")
    assert scene.state("late") is None
    scene.end("s")
    assert scene.state("late") == "scheduled"


@pytest.mark.parametrize(
    ("state", "becomes"), [("failed", "upstream_failed"), ("skipped", "skipped")]
)
def test_without_its_setup_nothing_runs_whatever_its_rule(state: str, becomes: str) -> None:
    scene = Scene(*SCOPED)
    scene.end("s", state)
    assert scene.states() == {"s": state, "w": becomes, "x": becomes, "t": becomes}
    assert scene.reason("x") == f"in the scope of setup 's' {state}"
