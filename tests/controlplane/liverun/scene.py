"""A run on a stage: tasks in a few words, tries that end as a test says, the rules watched.

After each step another run is made of what would be in the tables, and has to know the same: every
test of the core is one of a restart as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any

from leoflow_agent.action import PythonAction, XCom
from leoflow_agent.spec import (
    DagSpec,
    Expansion,
    Quantities,
    Resources,
    Source,
    TaskSpec,
    Teardown,
)
from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.liverun.change import Change, Dropped, Moved, RunMoved
from leoflow_controlplane.liverun.facts import MISSING, NO_PAST, Past, RunFacts
from leoflow_controlplane.liverun.instance import OPEN, Instance
from leoflow_controlplane.liverun.liverun import LiveRun
from leoflow_controlplane.liverun.plan import Plan
from leoflow_controlplane.model import FINISHED_RUN, TRANSITIONS, RunKey, TaskState
from leoflow_controlplane.verdict import Verdict

_RESOURCES = Resources(Quantities(100, 1))
Where = str | tuple[str, int]


def task(task_id: str, *upstream: str, **fields: Any) -> TaskSpec:
    """Write a task; its retries are due at once unless it says otherwise."""
    fields.setdefault("retry_delay_seconds", 0.0)
    return TaskSpec(
        task_id=task_id,
        action=PythonAction("dag"),
        resources=_RESOURCES,
        source=Source("dag.py", 1),
        upstream_task_ids=upstream,
        **fields,
    )


def mapped(task_id: str, over: str, *upstream: str, **fields: Any) -> TaskSpec:
    """Write a task that is expanded over what ``over`` returns."""
    return task(task_id, over, *upstream, expansion=Expansion({"x": XCom(over)}), **fields)


def teardown(task_id: str, *upstream: str, setups: Iterable[str], **fields: Any) -> TaskSpec:
    """Write a teardown of ``setups``."""
    fails = fields.pop("on_failure_fail_dagrun", False)
    return task(task_id, *upstream, teardown=Teardown(tuple(setups), fails), **fields)


class Kept:
    """The values that instances left."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, int], Any] = {}

    def value(self, task_id: str, map_index: int) -> Any:
        return self.values.get((task_id, map_index), MISSING)

    def left(self, task_id: str) -> set[int]:
        return {index for name, index in self.values if name == task_id}


class Scene:
    """A run of a DAG of ``tasks`` that has begun; ``fields`` are those of the DAG."""

    def __init__(
        self,
        *tasks: TaskSpec,
        selected: str | None = None,
        past: Past = NO_PAST,
        max_map_length: int = 1024,
        machinery_retries: int = 3,
        begun: bool = True,
        **fields: Any,
    ) -> None:
        self.spec = DagSpec("d", "3.11", tasks, **fields)
        self.plan = Plan.of(self.spec)
        self.kept, self.past, self.limit = Kept(), past, max_map_length
        self.budget = machinery_retries
        self.now = 1000.0
        self.changes: list[Change] = []
        facts = RunFacts(RunKey("d", "r"), 1, selected=selected)
        self.run = self._live(facts, LiveRun.new_instances(self.plan, selected))
        if begun:
            self.begin()

    def begin(self) -> None:
        self.step(self.run.start(self.now))

    def start(self, where: Where) -> None:
        """Have a scheduled instance run."""
        self.step(self.run.hand_out(*_place(where), self.now))
        self.step(self.run.run(*_place(where), self.now))

    def end(self, where: Where, state: str = "success", value: Any = MISSING, **more: Any) -> None:
        """End the try of an instance, starting it before if need be."""
        if self.run.instance(*_place(where)).state == "scheduled":
            self.start(where)
        if value is not MISSING:
            self.kept.values[_place(where)] = value
        verdict = Verdict(state, **more)  # type: ignore[arg-type]
        self.step(self.run.end(*_place(where), verdict, self.now))

    def ends(self, **states: str) -> None:
        """End tasks one after the other."""
        for task_id, state in states.items():
            self.end(task_id, state)

    def clear(self, *tasks: Where, **fields: bool) -> None:
        self.step(self.run.clear(TaskSelection(tasks or None, **fields), self.now))

    def mark(self, state: Any, *tasks: Where, **fields: bool) -> None:
        self.step(self.run.set_states(TaskSelection(tasks or None, **fields), state, self.now))

    def wait(self, seconds: float) -> None:
        """Let time go by; what becomes due is done."""
        self.now += seconds
        self.step(self.run.come_due(self.now))

    def step(self, changes: list[Change]) -> None:
        """Take what a step changed and check it, and that a restart would not be noticed."""
        self.changes = changes
        _check_transitions(changes)
        again = self._live(copy(self.run.facts), [copy(item) for item in self.run.instances])
        assert _memory(again) == _memory(self.run)

    def state(self, where: Where) -> TaskState | None:
        return self.run.instance(*_place(where)).state

    def reason(self, where: Where) -> str | None:
        return self.run.instance(*_place(where)).reason

    def states(self) -> dict[str, Any]:
        """Give the state of each task, of an expanded one a list of them."""
        found: dict[str, Any] = {}
        for item in self.plan.tasks:
            instances = (
                dict(self.run.ledger.task(item.task_id).instances)
                if (item.task_id in self.run.plan.position)
                else {}
            )
            states = [instances[index].state for index in sorted(instances)]
            if instances:
                found[item.task_id] = states[0] if list(instances) == [-1] else states
        return found

    def stopped(self) -> list[str]:
        """Name the tasks whose tries have to be stopped after the last step."""
        return [
            change.instance.task_id
            for change in self.changes
            if isinstance(change, Moved) and change.old_state in OPEN
        ]

    @property
    def over(self) -> str | None:
        """The state of the run if it is over."""
        return self.run.facts.state if self.run.facts.state in FINISHED_RUN else None

    def _live(self, facts: RunFacts, instances: Iterable[Instance]) -> LiveRun:
        limits = {"max_map_length": self.limit, "machinery_retries": self.budget}
        return LiveRun(self.plan, facts, instances, self.kept, self.past, **limits)


def _place(where: Where) -> tuple[str, int]:
    return (where, -1) if isinstance(where, str) else where


def _memory(run: LiveRun) -> Any:
    """Give all that a run knows beyond its instances."""
    tasks = [
        (
            {state: count for state, count in item.counts.items() if count},
            item.flags,
            sorted(item.undecided),
            (item.tally, item.setups, item.scope),
        )
        for item in run.ledger.tasks
    ]
    ledger = run.ledger
    waits = run.decider.is_waiting(), set(run.decider.waiting)
    return tasks, ledger.unfinished, ledger.moving, waits, run.next_due()


def _check_transitions(changes: list[Change]) -> None:
    last: dict[int, TaskState | None] = {}
    for change in changes:
        if isinstance(change, Moved):
            assert change.state in TRANSITIONS[change.old_state]
            before = last.get(id(change.instance), change.old_state)
            assert before == change.old_state
            last[id(change.instance)] = change.state
        elif isinstance(change, Dropped):
            assert change.instance.try_number == 0
        elif isinstance(change, RunMoved):
            assert change.state in ("queued", "running", "success", "failed")
