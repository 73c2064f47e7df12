"""Which instances of a run a command is about."""

from __future__ import annotations

from collections.abc import Iterable

from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.liverun.instance import OPEN, Instance
from leoflow_controlplane.liverun.ledger import Ledger
from leoflow_controlplane.liverun.plan import Plan

_FAILED = frozenset({"failed", "upstream_failed"})


def select(
    ledger: Ledger, selection: TaskSelection, *, with_setups: bool = False
) -> list[Instance]:
    """List the instances that are meant, in the order of the DAG; NotFound for an unknown one.

    ``with_setups`` takes in the setups and teardowns around them, without which they could not
    run again. Instances that are ``removed`` are never meant.
    """
    single, whole = _named(ledger, selection)
    starts = whole | single.keys()
    found = [
        ledger.tasks[n].instances[index] for n in single for index in single[n] if n not in whole
    ]
    numbers = whole | (_related(ledger.plan, starts, selection) - starts)
    if with_setups:
        numbers |= _around(ledger.plan, starts, numbers | starts, selection) - starts
    for number in numbers:
        found += ledger.tasks[number].instances.values()
    found = [item for item in found if _is_meant(item, selection)]
    return sorted(found, key=lambda item: (ledger.plan.position[item.task_id], item.map_index))


def _named(ledger: Ledger, selection: TaskSelection) -> tuple[dict[int, set[int]], set[int]]:
    if selection.tasks is None:
        return {}, set(range(len(ledger.tasks)))
    single: dict[int, set[int]] = {}
    whole: set[int] = set()
    for named in selection.tasks:
        if isinstance(named, str):
            whole.add(ledger.task(named).position)
        else:
            task_id, map_index = named
            ledger.instance(task_id, map_index)
            single.setdefault(ledger.task(task_id).position, set()).add(map_index)
    return single, whole


def _related(plan: Plan, starts: Iterable[int], selection: TaskSelection) -> set[int]:
    above = plan.above(*starts) if selection.upstream else set()
    return above | plan.below(*starts) if selection.downstream else above


def _around(
    plan: Plan, starts: Iterable[int], numbers: Iterable[int], selection: TaskSelection
) -> set[int]:
    """Give the setups of each task, and the teardowns of each of these; as Airflow clears them."""
    around: set[int] = set()
    for number in numbers:
        if not plan.tasks[number].is_setup:
            for setup in plan.setups_around(number):
                around |= {setup, *plan.teardowns_of(setup)}
    above = plan.above(*starts) if selection.upstream else set()
    for number in above.union(starts).intersection(plan.scopes):
        around.update(plan.teardowns_of(number))
    return around


def _is_meant(instance: Instance, selection: TaskSelection) -> bool:
    if instance.state == "removed":
        return False
    if selection.only_failed and instance.state not in _FAILED:
        return False
    return not selection.only_running or instance.state in OPEN
