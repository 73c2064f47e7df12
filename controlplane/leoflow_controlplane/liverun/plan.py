"""The graph of a DAG by position, made once for a version and shared by all of its runs.

Positions are those of ``DagSpec.tasks``, which is in topological order: upstream is smaller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from leoflow_agent.spec import DagSpec, TaskSpec


@dataclass(frozen=True)
class Plan:
    """Indices of a DAG. ``scopes`` are, for each task, the setups that it is in the scope of
    without being directly below them: they have to succeed for it to run."""

    spec: DagSpec
    tasks: tuple[TaskSpec, ...]
    position: dict[str, int]
    upstream: tuple[tuple[int, ...], ...]
    downstream: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, spec: DagSpec) -> Plan:
        """Index ``spec``. Setups that a teardown names are upstream of it, written so or not."""
        position = {task.task_id: number for number, task in enumerate(spec.tasks)}
        upstream: list[tuple[int, ...]] = []
        downstream: list[list[int]] = [[] for _ in spec.tasks]
        for number, task in enumerate(spec.tasks):
            setups = task.teardown.setups if task.teardown else ()
            names = dict.fromkeys((*task.upstream_task_ids, *setups))
            above = tuple(position[name] for name in names if name in position)
            upstream.append(above)
            for up in above:
                downstream[up].append(number)
        return cls(
            spec=spec,
            tasks=spec.tasks,
            position=position,
            upstream=tuple(upstream),
            downstream=tuple(map(tuple, downstream)),
        )

    def alone(self, task_id: str) -> Plan:
        """Give the plan of a run of one task alone: it waits for nothing and leads nowhere."""
        task = replace(
            self.tasks[self.position[task_id]], upstream_task_ids=(), teardown=None, branch=None
        )
        return Plan.of(replace(self.spec, tasks=(task,)))

    def is_teardown(self, position: int) -> bool:
        """Say whether the task cleans up."""
        return self.tasks[position].teardown is not None

    def above(self, position: int) -> set[int]:
        """Give all that is upstream of a task, however far."""
        return _reached(self.upstream, self.upstream[position])

    def below(self, position: int) -> set[int]:
        """Give all that is downstream of a task, however far."""
        return _reached(self.downstream, self.downstream[position])

    @cached_property
    def leaves(self) -> tuple[int, ...]:
        """The tasks that decide how a run ends; see Airflow's ``DagRun`` on effective leaves.

        A teardown counts only if its failure is to fail the run.
        """
        counts = [t.teardown is None or t.teardown.on_failure_fail_dagrun for t in self.tasks]
        leaves = [
            number
            for number in range(len(self.tasks))
            if counts[number] and not any(counts[down] for down in self.downstream[number])
        ]
        return tuple(leaves or (n for n in range(len(self.tasks)) if not self.downstream[n]))

    @cached_property
    def scopes(self) -> tuple[tuple[int, ...], ...]:
        """For each task the setups, not directly upstream, that it is in the scope of."""
        if not any(task.is_setup for task in self.tasks):
            return ((),) * len(self.tasks)
        return tuple(
            ()
            if self.is_teardown(number)
            else tuple(s for s in self.setups_around(number) if s not in self.upstream[number])
            for number in range(len(self.tasks))
        )

    @cached_property
    def scoped(self) -> tuple[tuple[int, ...], ...]:
        """For each setup the tasks in whose ``scopes`` it is."""
        below: list[list[int]] = [[] for _ in self.tasks]
        for number, setups in enumerate(self.scopes):
            for setup in setups:
                below[setup].append(number)
        return tuple(map(tuple, below))

    @cached_property
    def branches(self) -> tuple[tuple[int, ...], ...]:
        """For each task the tasks directly upstream that say which way the run goes."""
        return tuple(
            tuple(up for up in above if self.tasks[up].branch is not None)
            for above in self.upstream
        )

    def teardowns_of(self, setup: int) -> tuple[int, ...]:
        """Give the tasks that clean up after a setup."""
        return tuple(down for down in self.downstream[setup] if self.is_teardown(down))

    def setups_around(self, position: int) -> list[int]:
        """Give the setups upstream that concern a task: with a teardown below it, or with none."""
        above = sorted(up for up in self.above(position) if self.tasks[up].is_setup)
        if not above:
            return []
        below = self.below(position)
        return [
            setup
            for setup in above
            if not (teardowns := self.teardowns_of(setup)) or not below.isdisjoint(teardowns)
        ]


def _reached(edges: tuple[tuple[int, ...], ...], begin: Iterable[int]) -> set[int]:
    seen: set[int] = set()
    todo = list(begin)
    while todo:
        number = todo.pop()
        if number not in seen:
            seen.add(number)
            todo.extend(edges[number])
    return seen
