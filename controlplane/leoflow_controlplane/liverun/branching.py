"""Which way a run goes below a branch or a short circuit, derived from what the task returned.

Nothing is remembered that could not be derived again: after a restart, or when a task that was
skipped is cleared, the answer is the same (Airflow's NotPreviouslySkippedDep).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leoflow_controlplane.error import Refused
from leoflow_controlplane.liverun.facts import MISSING, Values
from leoflow_controlplane.liverun.ledger import Ledger
from leoflow_controlplane.liverun.plan import Plan
from leoflow_controlplane.liverun.trigger import DONE, SUCCESS


class BranchInvalid(Refused):
    """A branch returned something that does not say which way to go."""


def choose(plan: Plan, position: int, value: Any) -> frozenset[int]:
    """Say which tasks directly downstream go on; BranchInvalid if ``value`` does not say that."""
    direct = plan.downstream[position]
    if plan.tasks[position].branch == "short_circuit":
        return frozenset(direct) if value is not MISSING and value else frozenset()
    chosen: set[int] = set()
    for name in _names(value):
        chosen |= _named(plan, position, name)
    reached = set(chosen)
    for number in chosen:
        reached |= plan.below(number)
    return frozenset(reached.intersection(direct))


class Branching:
    """What the branches of a run have chosen so far."""

    def __init__(self, plan: Plan, ledger: Ledger, values: Values) -> None:
        self._plan = plan
        self._ledger = ledger
        self._values = values
        self._chosen: dict[int, frozenset[int] | None] = {}

    def forget(self, position: int) -> None:
        """Note that an instance of a branch has another state or value."""
        self._chosen.pop(position, None)

    def not_chosen_by(self, position: int) -> str | None:
        """Name a branch directly upstream that sent the run another way, or None."""
        if self._plan.is_teardown(position):
            return None
        for up in self._plan.branches[position]:
            chosen = self._chosen_by(up)
            if chosen is not None and position not in chosen:
                return self._plan.tasks[up].task_id
        return None

    def left_out(self, position: int) -> list[int]:
        """List the tasks that a branch, which is done, has decided not to run."""
        chosen = self._chosen_by(position)
        if chosen is None:
            return []
        plan, task = self._plan, self._plan.tasks[position]
        whole = task.branch == "short_circuit" and not chosen and not task.respect_trigger_rules
        numbers: Iterable[int] = plan.below(position) if whole else plan.downstream[position]
        return sorted(n for n in numbers if n not in chosen and not plan.is_teardown(n))

    def _chosen_by(self, position: int) -> frozenset[int] | None:
        if position not in self._chosen:
            self._chosen[position] = self._choose(position)
        return self._chosen[position]

    def _choose(self, position: int) -> frozenset[int] | None:
        """A branch that is mapped has chosen what one of its instances has."""
        task = self._ledger.tasks[position]
        if not task.flags & DONE or not task.flags & SUCCESS:
            return None
        chosen: frozenset[int] = frozenset()
        for instance in task.instances.values():
            if instance.state != "success":
                continue
            value = self._values.value(instance.task_id, instance.map_index)
            if value is MISSING and instance.is_marked:
                return None
            try:
                chosen |= choose(self._plan, position, value)
            except BranchInvalid:
                # A value of an earlier try, under a success that was marked by hand.
                return None
        return chosen


def _names(value: Any) -> list[str]:
    if value is MISSING or value is None:
        return []
    names = value if isinstance(value, list) else [value]
    for name in names:
        if not isinstance(name, str):
            raise BranchInvalid(
                f"returned {value!r:.200}, which does not say which way to go: return the task_id "
                f"of a task directly downstream, a list of such, or None"
            )
    return names


def _named(plan: Plan, position: int, name: str) -> set[int]:
    direct = plan.downstream[position]
    number = plan.position.get(name)
    if number is not None:
        if number in direct:
            return {number}
    elif roots := _roots(plan, name).intersection(direct):
        return roots
    known = ", ".join(f"'{plan.tasks[down].task_id}'" for down in direct[:10])
    more = f" and {len(direct) - 10} more" if len(direct) > 10 else ""
    raise BranchInvalid(
        f"returned '{name:.200}', which is no task directly downstream of this one: those are "
        f"{known}{more}"
        if direct
        else f"returned '{name:.200}', but no task is downstream of it"
    )


def _roots(plan: Plan, group_id: str) -> set[int]:
    """Give the tasks of a task group that wait for nothing inside of it."""
    if all(group.group_id != group_id for group in plan.spec.task_groups):
        return set()
    inside = {n for task_id, n in plan.position.items() if task_id.startswith(f"{group_id}.")}
    return {number for number in inside if inside.isdisjoint(plan.upstream[number])}
