"""How many tries are under way, which limits that leaves no place within, and who waits for one.

Starts nothing: who is next is asked of the lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from leoflow_controlplane.book.heldrun import OpenTry
from leoflow_controlplane.book.line import HeldUp, Line, Waiting


class Places:
    """The places for tries, in containers (False) and of inline calls (True).

    A try takes one until it has its verdict. ``is_paused`` says whether a DAG starts nothing now.
    """

    def __init__(self, is_paused: Callable[[str], bool]) -> None:
        self._is_paused = is_paused
        self.lines = {False: Line(self._held_up), True: Line(self._held_up)}
        # Tries without a verdict: by kind, by DAG, by task.
        self.under_way: Counter[bool] = Counter()
        self.active_tasks: Counter[str] = Counter()
        self.active_tries: Counter[tuple[str, str]] = Counter()

    def free(self, held: OpenTry) -> None:
        """Give the place of a try that has its verdict to whoever waits for it."""
        self.count(held, -1)
        for line in self.lines.values():
            line.free(held.run, held.instance)

    def free_dag(self, dag_id: str) -> None:
        """Look again at what waits of a DAG that was held up as a whole."""
        for line in self.lines.values():
            line.free_dag(dag_id)

    def count(self, held: OpenTry, by: int) -> None:
        """Count a try that takes a place (1), or takes none any more (-1)."""
        dag_id, task_id = held.key.dag_id, held.key.task_id
        self.under_way[held.inline] += by
        self.active_tasks[dag_id] += by
        if not self.active_tasks[dag_id]:
            del self.active_tasks[dag_id]
        task = held.run.version.tasks[task_id]
        if task.max_active_tis_per_dag is not None:
            self.active_tries[dag_id, task_id] += by
        if task.max_active_tis_per_dagrun is not None:
            held.run.active[task_id] = held.run.active.get(task_id, 0) + by

    def _held_up(self, waiting: Waiting) -> HeldUp | None:
        run, instance = waiting.run, waiting.instance
        task_id = instance.task_id
        dag_id, spec = run.key.dag_id, run.version.spec
        if self.active_tasks[dag_id] >= spec.max_active_tasks or self._is_paused(dag_id):
            return "dag"
        task = run.version.tasks[task_id]
        limit = task.max_active_tis_per_dag
        if limit is not None and self.active_tries[dag_id, task_id] >= limit:
            return "task"
        limit = task.max_active_tis_per_dagrun
        if limit is not None and run.active.get(task_id, 0) >= limit:
            return "run_task"
        last = run.find_try(instance)
        return "try" if last is not None and last.is_stopping else None
