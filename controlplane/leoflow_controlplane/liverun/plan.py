"""The graph of a DAG by position, made once for a version and shared by all of its runs.

Positions are those of ``DagSpec.tasks``, which is in topological order: upstream is smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from leoflow_agent.action import XCom
from leoflow_agent.spec import DagSpec, TaskSpec, TriggerRule


@dataclass(frozen=True)
class Plan:
    """Indices of a DAG."""

    spec: DagSpec
    tasks: tuple[TaskSpec, ...]
    position: dict[str, int]
    upstream: tuple[tuple[int, ...], ...]
    downstream: tuple[tuple[int, ...], ...]

    # What ``reached_directly`` found before.
    _reach: dict[tuple[int, int], frozenset[int]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, spec: DagSpec) -> Plan:
        """Index ``spec``.

        The setups of a teardown, and what a task is expanded over, are upstream of it even if
        they are not written so.
        """
        position = {task.task_id: number for number, task in enumerate(spec.tasks)}
        upstream: list[tuple[int, ...]] = []
        downstream: list[list[int]] = [[] for _ in spec.tasks]
        for number, task in enumerate(spec.tasks):
            setups = task.teardown.setups if task.teardown else ()
            names = dict.fromkeys((*task.upstream_task_ids, *setups, *_sources(task)))
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
            self.tasks[self.position[task_id]],
            upstream_task_ids=(),
            depends_on_past=False,
            wait_for_downstream=False,
            teardown=None,
            branch=None,
        )
        return Plan.of(replace(self.spec, tasks=(task,)))

    def is_teardown(self, position: int) -> bool:
        """Say whether the task cleans up."""
        return self.tasks[position].teardown is not None

    def above(self, *positions: int) -> set[int]:
        """Give all that is upstream of at least one of the tasks, however far."""
        return _reached(self.upstream, positions)

    def below(self, *positions: int) -> set[int]:
        """Give all that is downstream of at least one of the tasks, however far."""
        return _reached(self.downstream, positions)

    def reached_directly(self, branch: int, chosen: int) -> frozenset[int]:
        """Give what is directly below ``branch`` and reached from ``chosen``, itself included."""
        known = self._reach.get((branch, chosen))
        if known is None:
            reached = self.below(chosen).intersection(self.downstream[branch])
            known = self._reach[branch, chosen] = frozenset(reached | {chosen})
        return known

    @cached_property
    def rules(self) -> tuple[TriggerRule, ...]:
        """The trigger rule of each task; that of a teardown cannot be chosen, as in Airflow."""
        return tuple(
            "all_done_setup_success" if task.teardown is not None else task.trigger_rule
            for task in self.tasks
        )

    @cached_property
    def setups_above(self) -> tuple[int, ...]:
        """For each task how many of those directly upstream it may clean up after."""
        return tuple(
            sum(self.is_setup_of(up, number) for up in above)
            for number, above in enumerate(self.upstream)
        )

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
    def scopes(self) -> dict[int, frozenset[int]]:
        """By setup the tasks that it concerns: those below it and above a teardown of it, or all
        below it if it has none. As in Airflow they run only if it succeeds."""
        scopes = {}
        for setup in (n for n, task in enumerate(self.tasks) if task.is_setup):
            below, teardowns = self.below(setup), self.teardowns_of(setup)
            within = below & self.above(*teardowns) if teardowns else below
            scopes[setup] = frozenset(n for n in within if not self.is_teardown(n))
        return scopes

    @cached_property
    def scoped(self) -> dict[int, tuple[int, ...]]:
        """By setup the tasks in its scope that are not directly below it."""
        return {
            setup: tuple(sorted(scope.difference(self.downstream[setup])))
            for setup, scope in self.scopes.items()
        }

    @cached_property
    def branches(self) -> tuple[tuple[int, ...], ...]:
        """For each task the tasks directly upstream that say which way the run goes."""
        return tuple(
            tuple(up for up in above if self.tasks[up].branch is not None)
            for above in self.upstream
        )

    @cached_property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """For each task the tasks whose values it is expanded over."""
        return tuple(
            tuple(self.position[name] for name in _sources(task) if name in self.position)
            for task in self.tasks
        )

    def teardowns_of(self, setup: int) -> tuple[int, ...]:
        """Give the tasks that clean up after a setup."""
        return tuple(down for down in self.downstream[setup] if self.is_teardown(down))

    def setups_around(self, position: int) -> list[int]:
        """Give the setups in whose scope a task is."""
        return [setup for setup, scope in self.scopes.items() if position in scope]

    def is_setup_of(self, setup: int, teardown: int) -> bool:
        """Say whether a task directly above another one is what that one may clean up after."""
        named = self.tasks[teardown].teardown
        task = self.tasks[setup]
        return task.is_setup or (named is not None and task.task_id in named.setups)


def _sources(task: TaskSpec) -> Iterator[str]:
    if task.expansion is not None:
        listed = () if task.expansion.listed is None else (task.expansion.listed,)
        for argument in (*task.expansion.kwargs.values(), *listed):
            if isinstance(argument, XCom):
                yield argument.task_id


def _reached(edges: tuple[tuple[int, ...], ...], begin: Iterable[int]) -> set[int]:
    seen: set[int] = set()
    todo = [number for start in begin for number in edges[start]]
    while todo:
        number = todo.pop()
        if number not in seen:
            seen.add(number)
            todo.extend(edges[number])
    return seen
