"""What a task may know of its run, and the values that it shares with other tasks, as in Airflow.

Imported only for tasks that ask for it. Lies in this package and not in the agent's, so that
processes which user code starts can unpickle what they are handed.
"""

import os
import sys
from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from leoflow_agent.exchange import Exchange

_FACTS = ("dag_id", "run_id", "task_id", "map_index", "try_number", "max_tries")

DagRun = namedtuple(
    "DagRun",
    "dag_id run_id logical_date conf run_type data_interval_start data_interval_end",
)


class TaskInstance:
    """The try that runs: its facts, and its XComs."""

    __slots__ = (*_FACTS, "_exchange")

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    max_tries: int

    def __init__(self, facts: "dict[str, Any]", exchange: "Exchange | None" = None) -> None:
        for name in _FACTS:
            setattr(self, name, facts[name])
        self._exchange = exchange

    def __repr__(self) -> str:
        facts = ", ".join(f"{name}={getattr(self, name)!r}" for name in _FACTS)
        return f"TaskInstance({facts})"

    def __reduce__(self) -> "Any":
        # What it talks through belongs to one process.
        return TaskInstance, ({name: getattr(self, name) for name in _FACTS},)

    def xcom_push(self, key: str, value: "Any") -> None:
        """Leave ``value`` under ``key`` for other tasks; the last value of a key wins.

        Raises TypeError if it is not JSON, ValueError if it is over the limit.
        """
        self._talk("xcom_push").push(key, value)

    def xcom_pull(
        self,
        task_ids: "str | Iterable[str] | None" = None,
        key: str = "return_value",
        map_indexes: "int | Iterable[int] | None" = None,
        default: "Any" = None,
    ) -> "Any":
        """Return what a task of this run left under ``key``, ``default`` if there is nothing.

        ``task_ids`` None is this task itself, as in Airflow 3. For several task_ids or map
        indexes the result is a list in their order. Waits while the control plane is away.
        Raises LookupError for a task that the DAG does not have.
        """
        exchange = self._talk("xcom_pull")
        tasks = self.task_id if task_ids is None else task_ids
        indexes = -1 if map_indexes is None else map_indexes
        if isinstance(tasks, str) and isinstance(indexes, int):
            return exchange.pull(tasks, key, indexes, default)
        return [
            exchange.pull(task_id, key, index, default)
            for task_id in ([tasks] if isinstance(tasks, str) else tasks)
            for index in ([indexes] if isinstance(indexes, int) else indexes)
        ]

    def _talk(self, method: str) -> "Exchange":
        if self._exchange is None or not self._exchange.is_here():
            raise RuntimeError(
                f"ti.{method} works in the task's own process only, not in one that it started: "
                "hand the value over to or from that process"
            )
        return self._exchange


def get_current_context() -> "dict[str, Any]":
    """Return the context of the task that runs, as ``**context`` has it.

    Raises RuntimeError outside of a task: while the DAG is drawn, in a test, in another process.
    """
    child = sys.modules.get("leoflow_agent.child")
    if child is None or child.current is None or child.current[1].pid != os.getpid():
        raise RuntimeError(
            "get_current_context() works in the process of a task only: not while the DAG is "
            "drawn, not in a test, and not in a process that the task started"
        )
    from leoflow_agent import context

    return context.current()
