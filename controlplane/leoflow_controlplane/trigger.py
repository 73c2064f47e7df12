"""When a task may start, by its trigger rule. The rules are Airflow's, early decisions included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from leoflow_agent.spec import TriggerRule

from leoflow_controlplane.model import FINISHED, TaskState

Outcome = Literal["wait", "run", "skip", "upstream_failed"]


class _Count(NamedTuple):
    total: int
    done: int
    success: int
    skipped: int
    failed: int

    @property
    def all_done(self) -> bool:
        return self.done == self.total


def evaluate_trigger_rule(
    rule: TriggerRule, upstream_states: Iterable[TaskState | None]
) -> Outcome:
    """Say what ``rule`` makes of the upstream states.

    A task without upstream tasks runs under every rule. Once all upstream tasks are finished
    the answer is never ``wait``. As in Airflow a failure or a skip decides the ``all_success``
    family at once, without waiting for the rest.
    """
    count = _count(upstream_states)
    if count.total == 0:
        return "run"
    return _RULES[rule](count)


def _count(states: Iterable[TaskState | None]) -> _Count:
    seen = list(states)
    return _Count(
        total=len(seen),
        done=sum(state in FINISHED for state in seen),
        success=seen.count("success"),
        skipped=seen.count("skipped") + seen.count("removed"),
        failed=seen.count("failed") + seen.count("upstream_failed"),
    )


def _all_success(count: _Count) -> Outcome:
    if count.failed:
        return "upstream_failed"
    if count.skipped:
        return "skip"
    return _run_when(count.success == count.total)


def _all_failed(count: _Count) -> Outcome:
    if count.success or count.skipped:
        return "skip"
    return _run_when(count.failed == count.total)


def _all_done(count: _Count) -> Outcome:
    return _run_when(count.all_done)


def _one_success(count: _Count) -> Outcome:
    if count.success:
        return "run"
    if not count.all_done:
        return "wait"
    return "skip" if count.skipped == count.total else "upstream_failed"


def _one_failed(count: _Count) -> Outcome:
    if count.failed:
        return "run"
    return "skip" if count.all_done else "wait"


def _none_failed(count: _Count) -> Outcome:
    if count.failed:
        return "upstream_failed"
    return _run_when(count.all_done)


def _none_failed_min_one_success(count: _Count) -> Outcome:
    if count.failed:
        return "upstream_failed"
    if count.skipped == count.total:
        return "skip"
    return _run_when(count.all_done)


def _always(_count: _Count) -> Outcome:
    return "run"


def _run_when(ready: bool) -> Outcome:
    return "run" if ready else "wait"


_RULES = {
    "all_success": _all_success,
    "all_failed": _all_failed,
    "all_done": _all_done,
    "one_success": _one_success,
    "one_failed": _one_failed,
    "none_failed": _none_failed,
    "none_failed_min_one_success": _none_failed_min_one_success,
    "always": _always,
}
