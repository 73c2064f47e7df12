"""Which way a run goes below a branch or a short circuit, derived from what the task returned.

Nothing is remembered that could not be derived again: after a restart, or when a task that was
skipped is cleared, the answer is the same (Airflow's NotPreviouslySkippedDep).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leoflow_controlplane.error import Refused
from leoflow_controlplane.liverun.facts import MISSING, Values
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.liverun.ledger import Ledger
from leoflow_controlplane.liverun.plan import Plan
from leoflow_controlplane.model import NOT_MAPPED
from leoflow_controlplane.verdict import Verdict


class BranchInvalid(Refused):
    """A branch returned something that does not say which way to go."""


def choose(plan: Plan, position: int, value: Any) -> frozenset[int]:
    """Say which tasks directly downstream go on; BranchInvalid if ``value`` does not say that."""
    direct = plan.downstream[position]
    if plan.tasks[position].branch == "short_circuit":
        return frozenset(direct) if value is not MISSING and value else frozenset()
    chosen: frozenset[int] = frozenset()
    for name in _names(value):
        for number in _named(plan, position, name):
            chosen |= plan.reached_directly(position, number)
    return chosen


class Branching:
    """What the branches of a run have chosen so far. Teardowns are never left out."""

    def __init__(self, plan: Plan, ledger: Ledger, values: Values) -> None:
        self._plan = plan
        self._ledger = ledger
        self._values = values
        self._chosen: dict[tuple[int, int], tuple[int, frozenset[int] | None]] = {}

    def not_chosen_by(self, position: int, map_index: int = NOT_MAPPED) -> str | None:
        """Name a branch directly upstream that sent the run another way, or None.

        As in Airflow an instance of a mapped branch speaks for the instance below it that has the
        same map index, and a branch that is not mapped for all.
        """
        branches = self._plan.branches[position]
        if not branches or self._plan.is_teardown(position):
            return None
        for up in branches:
            chosen = self._chosen_by(up, map_index)
            if chosen is not None and position not in chosen:
                return self._plan.tasks[up].task_id
        return None

    def heed(self, position: int, instance: Instance, verdict: Verdict) -> Verdict:
        """Give the verdict on a try of a branch: one that does not say which way to go failed."""
        if verdict.state != "success":
            return verdict
        try:
            choose(self._plan, position, self._values.value(instance.task_id, instance.map_index))
        except BranchInvalid as error:
            return Verdict("failed", str(error))
        return verdict

    def left_out(self, position: int) -> list[int]:
        """List the tasks that a branch, unless it is mapped, has decided not to run."""
        chosen = self._chosen_by(position, NOT_MAPPED)
        if chosen is None:
            return []
        plan, task = self._plan, self._plan.tasks[position]
        whole = task.branch == "short_circuit" and not chosen and not task.respect_trigger_rules
        numbers: Iterable[int] = plan.below(position) if whole else plan.downstream[position]
        return sorted(n for n in numbers if n not in chosen and not plan.is_teardown(n))

    def _chosen_by(self, position: int, map_index: int) -> frozenset[int] | None:
        task = self._ledger.tasks[position]
        instance = task.instances.get(NOT_MAPPED) or task.instances.get(map_index)
        if instance is None or instance.state != "success":
            return None
        key = (position, instance.map_index)
        version, chosen = self._chosen.get(key, (-1, None))
        if version != task.version:
            chosen = self._choose(position, instance)
            self._chosen[key] = (task.version, chosen)
        return chosen

    def _choose(self, position: int, instance: Instance) -> frozenset[int] | None:
        value = self._values.value(instance.task_id, instance.map_index)
        if value is MISSING and instance.is_marked:
            return None
        try:
            return choose(self._plan, position, value)
        except BranchInvalid:
            # What an earlier try returned, under a success that was marked by hand.
            return None


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
    inside = _inside(plan, group_id)
    return {number for number in inside if inside.isdisjoint(plan.upstream[number])}


def _inside(plan: Plan, group_id: str) -> set[int]:
    """Give the tasks of a task group and of the groups in it, whatever their ids begin with."""
    found: set[int] = set()
    for group in plan.spec.task_groups:
        if group.group_id == group_id:
            found.update(plan.position[name] for name in group.task_ids if name in plan.position)
        elif group.parent_group_id == group_id:
            found |= _inside(plan, group.group_id)
    return found
