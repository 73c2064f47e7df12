"""Why a task was not run, in words of bounded length however many tasks are upstream of it."""

from __future__ import annotations

from collections.abc import Iterable

from leoflow_controlplane.liverun.ledger import Ledger, TaskLedger
from leoflow_controlplane.liverun.trigger import ANY_FAILED, FLAGS, SKIPPED, Outcome, Tally
from leoflow_controlplane.model import NOT_MAPPED, TaskState

_SHOWN = 3
_ENDED = sum(FLAGS)
_ORDER: tuple[TaskState, ...] = ("failed", "upstream_failed", "skipped", "success")


def explain_rule(ledger: Ledger, position: int, outcome: Outcome) -> str:
    """Say which upstream tasks decided against a task, by its trigger rule."""
    task, plan = ledger.tasks[position], ledger.plan
    return f"trigger rule '{plan.rules[position]}' with upstream " + _list(
        (ledger.tasks[up] for up in plan.upstream[position]), task.tally, outcome, ledger
    )


def explain_scope(ledger: Ledger, position: int, outcome: Outcome) -> str:
    """Say which setups decided against a task that is in their scope."""
    setups = (
        ledger.tasks[setup] for setup, below in ledger.plan.scoped.items() if position in below
    )
    return "in the scope of setup " + _list(setups, ledger.tasks[position].scope, outcome, ledger)


def _list(tasks: Iterable[TaskLedger], tally: Tally, outcome: Outcome, ledger: Ledger) -> str:
    wanted = _decisive(tally, outcome)
    decided = [task for task in tasks if task.flags & wanted]
    shown = ", ".join(_standing(task, ledger) for task in decided[:_SHOWN])
    more = len(decided) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _decisive(tally: Tally, outcome: Outcome) -> int:
    if outcome == "upstream_failed" and tally.any_failed:
        return ANY_FAILED
    if outcome == "skip" and tally.skipped:
        return SKIPPED
    return _ENDED


def _standing(task: TaskLedger, ledger: Ledger) -> str:
    name = ledger.plan.tasks[task.position].task_id
    if not task.is_expanded():
        return f"'{name}' {task.instances[NOT_MAPPED].state}"
    ends = [f"{task.count(state)} {state}" for state in _ORDER if task.count(state)]
    return f"'{name}' ({', '.join(ends)})"
