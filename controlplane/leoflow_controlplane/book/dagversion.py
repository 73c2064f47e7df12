"""A version of a DAG as the writer needs it at each step: looked up, never searched for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from leoflow_agent.action import HttpAction
from leoflow_agent.spec import DagSpec, TaskSpec

from leoflow_controlplane.inputs import expansion_xcoms, needed_xcoms
from leoflow_controlplane.liverun.plan import Plan
from leoflow_controlplane.model import RETURN_VALUE

MOST_KEPT = 512


@dataclass(frozen=True)
class DagVersion:
    """One version of a DAG. ``pk`` is its row's; all else follows from the spec."""

    pk: int
    image: str
    spec: DagSpec
    image_digest: str | None = None
    tasks: dict[str, TaskSpec] = field(init=False, repr=False)
    position: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names = [task.task_id for task in self.spec.tasks]
        object.__setattr__(self, "tasks", dict(zip(names, self.spec.tasks, strict=True)))
        object.__setattr__(self, "position", {name: place for place, name in enumerate(names)})

    @property
    def dag_id(self) -> str:
        """The DAG that this is a version of."""
        return self.spec.dag_id

    @cached_property
    def plan(self) -> Plan:
        """The indices that decisions are made with."""
        return Plan.of(self.spec)

    @cached_property
    def reads(self) -> dict[str, frozenset[tuple[str, str]]]:
        """What each task reads of others: (task_id, key)."""
        return {
            name: needed_xcoms(task.action) | expansion_xcoms(task)
            for name, task in self.tasks.items()
        }

    @cached_property
    def read_keys(self) -> dict[str, frozenset[str]]:
        """The keys of each task's values that others, or the decision on a branch, depend on."""
        found: dict[str, set[str]] = {}
        for wanted in self.reads.values():
            for task_id, key in wanted:
                found.setdefault(task_id, set()).add(key)
        for name, task in self.tasks.items():
            if task.branch is not None:
                found.setdefault(name, set()).add(RETURN_VALUE)
        return {name: frozenset(keys) for name, keys in found.items()}

    @cached_property
    def inline(self) -> frozenset[str]:
        """The tasks that run in the control plane itself."""
        return frozenset(name for name, task in self.tasks.items() if _is_inline(task))

    @cached_property
    def leaves_artifacts(self) -> bool:
        """Whether a task leaves files for people."""
        return any(task.artifacts for task in self.spec.tasks)

    @cached_property
    def looks_back(self) -> bool:
        """Whether a task depends on how the DAG's previous run went."""
        return any(t.depends_on_past or t.wait_for_downstream for t in self.spec.tasks)


def _is_inline(task: TaskSpec) -> bool:
    return isinstance(task.action, HttpAction) and task.action.execution_mode == "inline"


class Versions:
    """Keeps the versions that were used last, and has the others read."""

    def __init__(self, read: Callable[[int], DagVersion]) -> None:
        self._read = read
        self._kept: OrderedDict[int, DagVersion] = OrderedDict()

    def get(self, pk: int) -> DagVersion:
        """Give the version with this key."""
        version = self._kept.get(pk)
        if version is None:
            version = self._kept[pk] = self._read(pk)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(pk)
        return version

    def forget(self) -> None:
        """Drop all: SQLite gives the key of a row that is no more to another one."""
        self._kept.clear()
