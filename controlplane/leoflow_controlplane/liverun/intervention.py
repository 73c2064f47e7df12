"""What people and timers do to a run: clear, mark, cancel, time out. The rules are Airflow's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.liverun.instance import MARKED, OPEN, Instance
from leoflow_controlplane.liverun.ledger import TaskLedger
from leoflow_controlplane.liverun.selection import select
from leoflow_controlplane.model import FINISHED, FINISHED_RUN, TaskState

if TYPE_CHECKING:
    from leoflow_controlplane.liverun.liverun import LiveRun

_TIMED_OUT = "the run took longer than its dagrun_timeout_seconds"


def clear(run: LiveRun, instances: Iterable[Instance], now: float) -> None:
    """Take the states of instances back. An open try has to end before the next one begins."""
    cleared = False
    for instance in instances:
        cleared |= _clear(run, instance)
    if cleared and run.facts.state in FINISHED_RUN:
        run.move_run("queued", now)
    elif cleared and run.facts.cancelled:
        run.move_run(run.facts.state, now)


def mark(run: LiveRun, instances: Iterable[Instance], state: TaskState, now: float) -> None:
    """Give instances ``state``, and clear what failed downstream, for it may go well now."""
    marked = [item for item in instances if item.state != state]
    for instance in marked:
        _mark(run, instance, state, now)
    _follow_branches(run, marked, now)
    names = list(dict.fromkeys(item.task_id for item in marked))
    failed = TaskSelection(names, downstream=True, only_failed=True)
    below = select(run.ledger, failed, with_setups=True) if names else []
    clear(run, [item for item in below if item.task_id not in names], now)


def succeed(run: LiveRun, now: float) -> None:
    """Mark the run and all of its tasks success; teardowns that are not over do their work yet."""
    marked = [item for item in run.instances if _is_to_succeed(run, item)]
    for instance in marked:
        _mark(run, instance, "success", now)
    if run.ledger.unfinished:
        if run.facts.state != "running" or run.facts.cancelled:
            run.move_run("running", now)
        _touch_all(run)
    elif run.facts.state != "success" or marked:
        run.move_run("success", now)


def give_up(run: LiveRun, now: float, reason: str) -> None:
    """Have the run end as failed: what runs is stopped, what has not begun is skipped.

    Teardowns that have something to clean up are let be.
    """
    for instance in list(run.instances):
        if instance.state in FINISHED or _has_to_clean_up(run, instance):
            continue
        # As in Airflow what waits is skipped, also for its next try or for its container.
        state: TaskState = "failed" if instance.state == "running" else "skipped"
        run.ledger.move(instance, state, reason, finished_at=now)
    if run.ledger.unfinished:
        run.move_run("running", now, reason, cancelled=True)
        _touch_all(run)
    else:
        run.move_run("failed", now, reason, cancelled=True)


def time_out(run: LiveRun, now: float) -> None:
    """End the run as failed at once; unlike when a person does it, nothing is cleaned up."""
    for instance in list(run.instances):
        if instance.state not in FINISHED:
            run.ledger.move(instance, "skipped", _TIMED_OUT, finished_at=now)
    run.move_run("failed", now, _TIMED_OUT, cancelled=run.facts.cancelled)


def _clear(run: LiveRun, instance: Instance) -> bool:
    if instance.state in (None, "removed"):
        return False
    position = run.plan.position[instance.task_id]
    instance.max_tries = instance.try_number + run.plan.tasks[position].retries
    instance.machinery_tries = 0
    if instance.state == "restarting":
        return False
    if instance.state in OPEN:
        run.ledger.move(instance, "restarting")
    else:
        run.ledger.move(instance, None, scheduled_at=None, started_at=None, finished_at=None)
    run.ledger.touch(position)
    return True


def _mark(run: LiveRun, instance: Instance, state: TaskState, now: float) -> None:
    run.ledger.move(instance, state, MARKED, finished_at=now)


def _follow_branches(run: LiveRun, marked: Iterable[Instance], now: float) -> None:
    for position in sorted({run.plan.position[item.task_id] for item in marked}):
        if run.plan.tasks[position].branch is not None:
            run.decider.follow_branch(position, now)


def _is_to_succeed(run: LiveRun, instance: Instance) -> bool:
    if instance.state in ("success", "removed"):
        return False
    position = run.plan.position[instance.task_id]
    return not run.plan.is_teardown(position) or instance.state in FINISHED


def _has_to_clean_up(run: LiveRun, instance: Instance) -> bool:
    position = run.plan.position[instance.task_id]
    if not run.plan.is_teardown(position):
        return False
    return instance.state is not None or _was_set_up(run.ledger.tasks[position])


def _was_set_up(teardown: TaskLedger) -> bool:
    """A teardown without setups cleans up after whatever ran above it."""
    if teardown.setups.total:
        return bool(teardown.setups.success)
    return bool(teardown.tally.success or teardown.tally.failed)


def _touch_all(run: LiveRun) -> None:
    for task in run.ledger.tasks:
        if task.undecided:
            run.ledger.touch(task.position)
