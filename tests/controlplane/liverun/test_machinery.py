"""Tries that end by no fault of the task's are made up for, within a budget of their own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.liverun.retry import machinery_delay_seconds, retry_delay_seconds
from leoflow_controlplane.model import RunKey
from scene import Scene, task, teardown

KEY = RunKey("d", "r")
A_MINUTE = 60.0


def lose(scene: Scene, reason: str = "its node is gone") -> None:
    scene.end("a", "failed", reason=reason, machinery=True)


def test_a_lost_try_is_made_up_for_and_uses_none_of_the_retries() -> None:
    scene = Scene(task("a"), task("b", "a"))
    lose(scene)
    instance = scene.run.instance("a")
    assert (instance.state, instance.reason) == ("up_for_retry", "its node is gone")
    assert (instance.try_number, instance.max_tries) == (1, 1)
    scene.wait(A_MINUTE)
    scene.ends(a="success", b="success")
    assert scene.over == "success"
    assert scene.run.instance("a").try_number == 2


def test_what_is_lost_again_and_again_is_a_failure_that_says_so() -> None:
    scene = Scene(task("a"), machinery_retries=2)
    for _ in range(2):
        lose(scene)
        scene.wait(A_MINUTE)
    lose(scene)
    assert scene.over == "failed"
    assert scene.reason("a") == (
        "its node is gone; it was tried again 2 times for such a reason, and machinery_retries "
        "allows no more"
    )


def test_once_the_budget_is_used_up_the_tasks_own_retries_are() -> None:
    scene = Scene(task("a", retries=1), machinery_retries=1)
    lose(scene)
    scene.wait(A_MINUTE)
    lose(scene)
    assert scene.state("a") == "scheduled"
    lose(scene)
    assert (scene.state("a"), scene.run.instance("a").try_number) == ("failed", 3)


def test_without_a_budget_a_loss_is_a_failure_as_any_other() -> None:
    scene = Scene(task("a"), machinery_retries=0)
    lose(scene)
    assert (scene.state("a"), scene.reason("a")) == ("failed", "its node is gone")


def test_a_clear_gives_the_whole_budget_back() -> None:
    scene = Scene(task("a"), machinery_retries=1)
    for _ in range(2):
        lose(scene)
        scene.wait(A_MINUTE)
    assert scene.over == "failed"
    scene.clear("a")
    scene.begin()
    lose(scene)
    assert scene.state("a") == "up_for_retry"


def test_a_lost_try_of_a_task_that_was_cleared_is_begun_anew_at_once() -> None:
    scene = Scene(task("a"), machinery_retries=1)
    scene.start("a")
    scene.clear("a")
    lose(scene)
    instance = scene.run.instance("a")
    assert (instance.state, instance.machinery_tries, instance.max_tries) == ("scheduled", 0, 1)


def test_the_delay_of_the_tasks_own_retries_does_not_count_what_was_lost() -> None:
    scene = Scene(task("a", retries=3, retry_delay_seconds=100.0, retry_exponential_backoff=True))
    lose(scene)
    scene.wait(A_MINUTE)
    scene.end("a", "failed")
    item, instance = scene.plan.tasks[0], scene.run.instance("a")
    assert 100 <= retry_delay_seconds(item, KEY, instance) < 200


@given(st.integers(1, 50), st.integers(1, 50))
def test_the_delay_doubles_to_a_minute_and_is_the_same_whenever_it_is_asked_for(
    nth: int, try_number: int
) -> None:
    instance = Instance("a", -1, "running", try_number)
    found = machinery_delay_seconds(KEY, instance, nth)
    assert found == machinery_delay_seconds(KEY, instance, nth)
    assert min(2.0 ** (nth - 1), A_MINUTE) <= found <= min(2.0**nth, A_MINUTE)


def test_many_that_are_lost_at_once_do_not_come_back_at_once() -> None:
    lost = [Instance(f"t{number}", -1, "running", 1) for number in range(100)]
    assert len({round(machinery_delay_seconds(KEY, item, 1), 2) for item in lost}) > 30


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_teardown_is_made_up_for_as_well(cancelled: bool) -> None:
    scene = Scene(
        task("up", is_setup=True), task("work", "up"), teardown("a", "work", setups=["up"])
    )
    scene.end("up")
    scene.start("work")
    if cancelled:
        scene.step(scene.run.cancel(scene.now))
    else:
        scene.end("work")
    lose(scene)
    scene.wait(A_MINUTE)
    scene.end("a")
    assert scene.over == ("failed" if cancelled else "success")


EVENTS = st.sampled_from(["lost", "lost", "failed", "failed", "success", "clear"])


@given(st.integers(0, 3), st.integers(0, 3), st.lists(EVENTS, max_size=25))
def test_whatever_comes_both_budgets_are_kept_apart(
    retries: int, budget: int, events: list[str]
) -> None:
    """Against plain arithmetic. The scene compares each step with a memory that was just read."""
    scene = Scene(task("a", retries=retries), machinery_retries=budget)
    own, machinery, tries = retries, budget, 0
    for event in events:
        if event == "clear":
            scene.clear("a")
            if scene.run.facts.state == "queued":
                scene.begin()
            own, machinery, state = retries, budget, "scheduled"
        elif scene.over:
            continue
        else:
            tries += 1
            scene.end("a", "success" if event == "success" else "failed", machinery=event == "lost")
            state = event
            if event == "lost" and machinery:
                machinery, state = machinery - 1, "up_for_retry"
            elif event != "success":
                own, state = own - 1, "scheduled" if own else "failed"
        assert scene.state("a") == state
        scene.wait(A_MINUTE)
        assert scene.run.instance("a").try_number == tries
        assert scene.over == (state if state in ("success", "failed") else None)
