"""Give a mapped task its instances, as many as the values are that it is expanded over."""

from __future__ import annotations

from math import prod

from leoflow_agent.action import Argument, XCom
from leoflow_agent.spec import Expansion

from leoflow_controlplane.liverun.expansion import Unmappable, length_of, static_value
from leoflow_controlplane.liverun.facts import MISSING, Values
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.liverun.ledger import Ledger, TaskLedger
from leoflow_controlplane.model import NOT_MAPPED, RETURN_VALUE


def succeeded(task: TaskLedger) -> list[int]:
    """List the instances of an expanded task whose values, if they left any, it stands for
    downstream, in the order of the map index."""
    return sorted(index for index, item in task.instances.items() if item.state == "success")


class Mapping:
    """Expands the mapped tasks of a run."""

    def __init__(self, ledger: Ledger, values: Values, max_map_length: int) -> None:
        self._ledger = ledger
        self._values = values
        self._longest = max_map_length
        # By position of a mapped task how many values its instances left, at a version of it.
        self._lengths: dict[int, tuple[int, int]] = {}

    def expand(self, task: TaskLedger, now: float) -> None:
        """Make the instances of ``task`` those that its values ask for, just before they run.

        What it is expanded over has ended well. If it is empty the task is skipped, if it is no
        list, or too long, it failed.
        """
        spec = self._ledger.plan.tasks[task.position]
        assert spec.expansion is not None
        try:
            length = self._length(spec.expansion)
        except Unmappable as error:
            for instance in list(task.undecided.values()):
                self._ledger.move(instance, "failed", str(error), finished_at=now)
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
        if argument.key != RETURN_VALUE:
            raise Unmappable(
                f"cannot be expanded over the XCom '{argument.key}' of task '{argument.task_id}': "
                "only return values can"
            )
        position = self._ledger.plan.position.get(argument.task_id)
        upstream = None if position is None else self._ledger.tasks[position]
        if upstream is None or not upstream.is_expanded():
            value = self._values.value(argument.task_id, NOT_MAPPED)
            return length_of(argument, None if value is MISSING else value, listed=listed)
        version, length = self._lengths.get(upstream.position, (-1, 0))
        if version != upstream.version:
            length = len(self._values.left(argument.task_id) & set(succeeded(upstream)))
            self._lengths[upstream.position] = (upstream.version, length)
        return length

    def _resize(self, task: TaskLedger, length: int, retries: int, now: float) -> None:
        ledger, task_id = self._ledger, self._ledger.plan.tasks[task.position].task_id
        whole = task.instances.get(NOT_MAPPED)
        alive = len(task.instances) - task.count("removed")
        if whole is None and alive == length > 0:
            return
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
