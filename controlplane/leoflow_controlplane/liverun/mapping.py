"""Give a mapped task its instances, as many as the values are that it is expanded over."""

from __future__ import annotations

from math import prod
from typing import Any

from leoflow_agent.action import Argument, XCom
from leoflow_agent.spec import Expansion

from leoflow_controlplane.liverun.expansion import Unmappable, length_of, static_value
from leoflow_controlplane.liverun.facts import MISSING, Values
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.liverun.ledger import Ledger, TaskLedger
from leoflow_controlplane.model import NOT_MAPPED


class NothingToMap(Exception):
    """An upstream task left no value because it did not run to its end."""


class Mapping:
    """Expands the mapped tasks of a run."""

    def __init__(self, ledger: Ledger, values: Values, max_map_length: int) -> None:
        self._ledger = ledger
        self._values = values
        self._longest = max_map_length

    def expand(self, task: TaskLedger, now: float) -> None:
        """Make the instances of ``task`` those that its values ask for, just before they run.

        What cannot be decided by values is decided at once: no values, no instances, too many.
        """
        spec = self._ledger.plan.tasks[task.position]
        assert spec.expansion is not None
        try:
            length = self._length(spec.expansion)
        except NothingToMap as error:
            self._end_undecided(task, "upstream_failed", str(error), now)
        except Unmappable as error:
            self._end_undecided(task, "failed", str(error), now)
        else:
            self._resize(task, length, spec.retries, now)

    def _length(self, expansion: Expansion) -> int:
        if expansion.listed is not None:
            length = self._length_of(expansion.listed, listed=True)
        else:
            length = prod(self._length_of(item) for item in expansion.kwargs.values())
        if length > self._longest:
            raise Unmappable(
                f"would be expanded to {length} instances, and max_map_length is {self._longest}: "
                "expand it over less, or raise LEOFLOW_MAX_MAP_LENGTH"
            )
        return length

    def _length_of(self, argument: Argument, *, listed: bool = False) -> int:
        if not isinstance(argument, XCom):
            return length_of(argument, static_value(argument), listed=listed)
        if argument.key != "return_value":
            raise Unmappable(
                f"cannot be expanded over the XCom '{argument.key}' of task '{argument.task_id}': "
                "only return values can"
            )
        upstream = self._upstream(argument.task_id)
        if upstream is None or not upstream.is_expanded():
            return length_of(argument, self._single(argument, upstream), listed=listed)
        return sum(
            self._values.value(argument.task_id, index) is not MISSING
            for index, instance in upstream.instances.items()
            if instance.state == "success"
        )

    def _single(self, argument: XCom, upstream: TaskLedger | None) -> Any:
        instance = upstream.instances.get(NOT_MAPPED) if upstream else None
        mapped = upstream and self._ledger.plan.tasks[upstream.position].expansion
        if instance and mapped and instance.state == "skipped":
            return []
        if instance and instance.state != "success":
            raise NothingToMap(
                f"nothing to be expanded over: upstream '{argument.task_id}' {instance.state}"
            )
        value = self._values.value(argument.task_id, NOT_MAPPED)
        return None if value is MISSING else value

    def _upstream(self, task_id: str) -> TaskLedger | None:
        position = self._ledger.plan.position.get(task_id)
        return None if position is None else self._ledger.tasks[position]

    def _resize(self, task: TaskLedger, length: int, retries: int, now: float) -> None:
        ledger, task_id = self._ledger, self._ledger.plan.tasks[task.position].task_id
        whole = task.instances.get(NOT_MAPPED)
        for index in range(length):
            known = task.instances.get(index)
            if known is None:
                ledger.add(Instance(task_id, index, max_tries=retries))
            elif known.state == "removed":
                ledger.move(known, None)
        if length == 0:
            self._end_without(task, task_id, now)
        elif whole is not None:
            ledger.drop(whole)
        for index, instance in list(task.instances.items()):
            if index >= length and instance.state != "removed":
                ledger.move(instance, "removed", "the task was expanded to fewer instances")

    def _end_without(self, task: TaskLedger, task_id: str, now: float) -> None:
        if NOT_MAPPED not in task.instances:
            self._ledger.add(Instance(task_id))
        reason = "there is nothing to expand it over: the values are empty"
        whole = task.instances[NOT_MAPPED]
        if whole.state is None:
            self._ledger.move(whole, "skipped", reason, finished_at=now)

    def _end_undecided(self, task: TaskLedger, state: Any, reason: str, now: float) -> None:
        for instance in list(task.undecided.values()):
            self._ledger.move(instance, state, reason, finished_at=now)
