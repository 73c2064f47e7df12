"""When a task may start, by its trigger rule. The rules are Airflow's, early decisions included.

They are asked of tallies, which cost nothing to keep when an instance ends, and never of the
instances themselves. Instances that are ``removed`` count as if they were not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from leoflow_agent.spec import TriggerRule

Outcome = Literal["wait", "run", "skip", "upstream_failed"]

# What is known of a task: that at least one instance of it ended so; that all of them ended.
SUCCESS, FAILED, UPSTREAM_FAILED, SKIPPED, DONE = 1, 2, 4, 8, 16
FLAGS = (SUCCESS, FAILED, UPSTREAM_FAILED, SKIPPED, DONE)
ANY_FAILED = FAILED | UPSTREAM_FAILED


@dataclass(slots=True)
class Tally:
    """Of how many upstream tasks (``total``) an instance ended so, and how many are all done."""

    total: int = 0
    success: int = 0
    failed: int = 0
    upstream_failed: int = 0
    skipped: int = 0
    done: int = 0

    def shift(self, old: int, new: int) -> None:
        """Count a task whose flags change from ``old`` to ``new``."""
        self.success += (new & SUCCESS) - (old & SUCCESS)
        self.failed += ((new & FAILED) - (old & FAILED)) >> 1
        self.upstream_failed += ((new & UPSTREAM_FAILED) - (old & UPSTREAM_FAILED)) >> 2
        self.skipped += ((new & SKIPPED) - (old & SKIPPED)) >> 3
        self.done += ((new & DONE) - (old & DONE)) >> 4

    @property
    def ended(self) -> int:
        """Whether anything was counted at all: 0 if not."""
        return self.success or self.failed or self.upstream_failed or self.skipped or self.done

    @property
    def all_done(self) -> bool:
        """Whether every instance of every upstream task is finished."""
        return self.done == self.total

    @property
    def any_failed(self) -> bool:
        """Whether anything failed, or could not run because of a failure."""
        return bool(self.failed or self.upstream_failed)


# Of no tasks at all; shared, for most tasks have no setups.
NONE = Tally()


def evaluate_trigger_rule(rule: TriggerRule, tally: Tally, setups: Tally = NONE) -> Outcome:
    """Say what ``rule`` makes of the upstream tasks, of which ``setups`` are those that set up.

    A task without upstream tasks runs under every rule. Once all upstream tasks are done the
    answer is never ``wait``. As in Airflow a failure or a skip decides the ``all_success`` family
    at once, without waiting for the rest.
    """
    if tally.total == 0:
        return "run"
    if rule == "all_done_setup_success":
        return _all_done_setup_success(tally, setups)
    return _RULES[rule](tally)


def evaluate_setups(setups: Tally) -> Outcome:
    """Say whether the setups that a task is in the scope of, without being directly below, let it
    run: as in Airflow all of them have to succeed, under whatever rule the task itself is."""
    if setups.any_failed:
        return "upstream_failed"
    if setups.skipped:
        return "skip"
    return _run_when(setups.all_done)


def _all_done_setup_success(tally: Tally, setups: Tally) -> Outcome:
    if not tally.all_done:
        return "wait"
    if setups.total == 0 or setups.success:
        return "run"
    return "upstream_failed" if setups.any_failed else "skip"


def _all_success(tally: Tally) -> Outcome:
    if tally.any_failed:
        return "upstream_failed"
    if tally.skipped:
        return "skip"
    return _run_when(tally.all_done)


def _all_failed(tally: Tally) -> Outcome:
    if tally.success or tally.skipped:
        return "skip"
    return _run_when(tally.all_done)


def _all_done(tally: Tally) -> Outcome:
    return _run_when(tally.all_done)


def _all_done_min_one_success(tally: Tally) -> Outcome:
    if tally.skipped:
        return "skip"
    if not tally.all_done:
        return "wait"
    return "run" if tally.success else "upstream_failed"


def _all_skipped(tally: Tally) -> Outcome:
    if tally.success or tally.any_failed:
        return "skip"
    return _run_when(tally.all_done)


def _one_success(tally: Tally) -> Outcome:
    if tally.success:
        return "run"
    if not tally.all_done:
        return "wait"
    return "upstream_failed" if tally.any_failed else "skip"


def _one_failed(tally: Tally) -> Outcome:
    if tally.any_failed:
        return "run"
    return "skip" if tally.all_done else "wait"


def _one_done(tally: Tally) -> Outcome:
    if tally.success or tally.failed:
        return "run"
    return "skip" if tally.all_done else "wait"


def _none_failed(tally: Tally) -> Outcome:
    if tally.any_failed:
        return "upstream_failed"
    return _run_when(tally.all_done)


def _none_failed_min_one_success(tally: Tally) -> Outcome:
    if tally.any_failed:
        return "upstream_failed"
    if not tally.all_done:
        return "wait"
    return "run" if tally.success else "skip"


def _none_skipped(tally: Tally) -> Outcome:
    if tally.skipped:
        return "skip"
    return _run_when(tally.all_done)


def _always(_tally: Tally) -> Outcome:
    return "run"


def _run_when(ready: bool) -> Outcome:
    return "run" if ready else "wait"


_RULES = {
    "all_success": _all_success,
    "all_failed": _all_failed,
    "all_done": _all_done,
    "all_done_min_one_success": _all_done_min_one_success,
    "all_skipped": _all_skipped,
    "one_success": _one_success,
    "one_failed": _one_failed,
    "one_done": _one_done,
    "none_failed": _none_failed,
    "none_failed_min_one_success": _none_failed_min_one_success,
    "none_skipped": _none_skipped,
    "always": _always,
}
