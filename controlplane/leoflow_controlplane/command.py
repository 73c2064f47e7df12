"""What may be asked of a control plane from outside: the values and the protocol, no doing.

The HTTP API turns requests into these calls; `commander.Commander` carries them out. All of them
are durable when they return. Reading is not here: that is done on connections of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from leoflow_agent.spec import BuiltDag

from leoflow_controlplane.model import RunKey

ReprocessBehavior = Literal["none", "failed", "completed"]


@dataclass(frozen=True)
class Trigger:
    """A run that somebody asks for. Dates are ISO 8601 with an offset; None: now."""

    run_id: str | None = None
    logical_date: str | None = None
    data_interval_start: str | None = None
    data_interval_end: str | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None
    traceparent: str | None = None
    triggered_by: str | None = None


@dataclass(frozen=True)
class Registered:
    """A DAG version that is known now. ``created``: it was not before. ``warnings`` say what of it
    has no effect here or may fail later, ``notes`` what is done for it."""

    dag_id: str
    version_number: int
    created: bool
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskSelection:
    """Task instances of one run. ``tasks`` are task_ids, or pairs with a map_index; None: all.

    ``only_failed`` and ``only_running`` leave out those in other states; ``upstream`` and
    ``downstream`` take in what is reached from them.
    """

    tasks: Sequence[str | tuple[str, int]] | None = None
    upstream: bool = False
    downstream: bool = False
    only_failed: bool = False
    only_running: bool = False


@dataclass(frozen=True)
class TaskRef:
    """A task instance that a command changed, or would change."""

    run: RunKey
    task_id: str
    map_index: int


@dataclass(frozen=True)
class BackfillRequest:
    """Runs to be made for each data interval between two dates, both included."""

    dag_id: str
    from_date: str
    to_date: str
    conf: Mapping[str, Any] = field(default_factory=dict)
    max_active_runs: int = 10
    reprocess_behavior: ReprocessBehavior = "none"
    run_backwards: bool = False


class Commands(Protocol):
    """Raises NotFound for what does not exist, Conflict for what contradicts what is there, and
    Refused (its subclasses RunRefused, DagRefused) with one line for each thing that is wrong."""

    async def register_dag(self, built: BuiltDag) -> Registered:
        """Make a version of a DAG known and current; runs that exist keep theirs."""

    async def delete_dag(self, dag_id: str) -> None:
        """Forget a DAG, its versions and runs; Conflict while one of its runs is not over."""

    async def pause_dag(self, dag_id: str, paused: bool) -> None:
        """Stop or go on making scheduled runs of a DAG, and starting tasks of such runs."""

    async def trigger(self, dag_id: str, trigger: Trigger) -> RunKey:
        """Make a run of the current version of a DAG."""

    async def set_run_state(
        self, key: RunKey, state: Literal["queued", "success", "failed"]
    ) -> None:
        """End a run as success or failed, stopping what runs; or queue it again (clear it)."""

    async def delete_run(self, key: RunKey) -> None:
        """Forget a run that is over."""

    async def clear(
        self, key: RunKey, selection: TaskSelection, *, dry_run: bool = False
    ) -> list[TaskRef]:
        """Let task instances run again, with as many retries as at first, and open their run."""

    async def set_task_state(
        self,
        key: RunKey,
        selection: TaskSelection,
        state: Literal["success", "failed", "skipped"],
        *,
        dry_run: bool = False,
    ) -> list[TaskRef]:
        """Set the states of task instances; a try of theirs that runs is stopped."""

    async def create_backfill(self, request: BackfillRequest) -> int:
        """Begin a backfill and give its id."""

    async def change_backfill(
        self, backfill_id: int, action: Literal["pause", "unpause", "cancel"]
    ) -> None:
        """Pause, unpause or cancel a backfill."""
