"""What a step costs, counted in calls: as much as it changes, however large the DAG is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from leoflow_agent.spec import DagSpec, TaskSpec
from leoflow_controlplane.liverun.facts import RunFacts
from leoflow_controlplane.liverun.liverun import LiveRun
from leoflow_controlplane.liverun.plan import Plan
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.verdict import Verdict
from scene import Kept, mapped, task, teardown

from benchmarks.controlplane.callcount import CallCount

SMALL, LARGE = 10, 1000


def begin(tasks: Iterable[TaskSpec]) -> tuple[LiveRun, Kept]:
    plan, kept = Plan.of(DagSpec("d", "3.11", tuple(tasks))), Kept()
    facts = RunFacts(RunKey("d", "r"), 1)
    run = LiveRun(plan, facts, LiveRun.new_instances(plan), kept, max_map_length=10**6)
    run.start(0.0)
    return run, kept


def end(run: LiveRun, task_id: str, map_index: int = -1) -> None:
    run.hand_out(task_id, map_index, 0.0)
    run.run(task_id, map_index, 0.0)
    run.end(task_id, map_index, Verdict("success"), 0.0)


def calls(action: Callable[[], Any]) -> int:
    """Count the calls of functions, built-in ones included, that an action makes."""
    with CallCount() as counted:
        action()
    return counted.calls


def chain(size: int) -> int:
    """End a task in the middle of a chain."""
    run, _ = begin([task("t0"), *(task(f"t{n}", f"t{n - 1}") for n in range(1, size))])
    end(run, "t0")
    return calls(lambda: end(run, "t1"))


def fan_in(size: int) -> int:
    """End one of many that a single one waits for."""
    names = [f"t{n}" for n in range(size)]
    run, _ = begin([*map(task, names), task("last", *names)])
    return calls(lambda: end(run, "t1"))


def mapped_fan_in(size: int) -> int:
    """End one of many instances that a single task waits for."""
    run, kept = begin([task("a"), mapped("m", "a"), task("last", "m")])
    kept.values["a", -1] = list(range(size))
    end(run, "a")
    end(run, "m", 0)
    return calls(lambda: end(run, "m", 1))


def mapped_to_many(size: int) -> int:
    """End one of many instances that many tasks wait for."""
    last = [task(f"l{n}", "m") for n in range(size)]
    run, kept = begin([task("a"), mapped("m", "a"), *last])
    kept.values["a", -1] = list(range(size))
    end(run, "a")
    end(run, "m", 0)
    return calls(lambda: end(run, "m", 1))


def in_scope(size: int) -> int:
    """End a task between a setup and its teardown, with many others beside it."""
    names = [f"t{n}" for n in range(size)]
    run, _ = begin(
        [
            task("s", is_setup=True),
            *(task(name, "s") for name in names),
            task("after", "t1"),
            teardown("down", *names, "after", setups=["s"]),
        ]
    )
    end(run, "s")
    return calls(lambda: end(run, "t1"))


@pytest.mark.parametrize("step", [chain, fan_in, mapped_fan_in, mapped_to_many, in_scope])
def test_an_end_costs_what_it_changes(step: Callable[[int], int]) -> None:
    assert step(LARGE) == step(SMALL)


def fan_out(size: int) -> int:
    """End the one that many wait for."""
    run, _ = begin([task("a"), *(task(f"t{n}", "a") for n in range(size))])
    return calls(lambda: end(run, "a"))


def expand(size: int) -> int:
    """End the one that a task is expanded over."""
    run, kept = begin([task("a"), mapped("m", "a")])
    kept.values["a", -1] = list(range(size))
    return calls(lambda: end(run, "a"))


@pytest.mark.parametrize("step", [fan_out, expand])
def test_starting_many_costs_the_same_for_each(step: Callable[[int], int]) -> None:
    each = (step(2 * LARGE) - step(LARGE)) / LARGE
    assert each <= 1.2 * step(LARGE) / LARGE


def test_a_whole_run_costs_the_same_for_each_task() -> None:
    def play(size: int) -> int:
        names = [f"t{n}" for n in range(size)]
        run, _ = begin([task("a"), *(task(name, "a") for name in names), task("z", *names)])

        def ended() -> None:
            for name in ("a", *names, "z"):
                end(run, name)

        count = calls(ended)
        assert run.facts.state == "success"
        return count

    small, large = play(SMALL), play(LARGE)
    assert large / LARGE <= small / SMALL
