"""The words of the control plane as frozen values. Nothing here reads, writes or decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from leoflow_agent.spec import DagSpec

NOT_MAPPED = -1
# The key of what a task returned, in Airflow's spelling.
RETURN_VALUE = "return_value"
# Whose runs are those of ``leoflow server``, whichever process leads.
SERVER = "server"

TaskState = Literal[
    "scheduled",
    "queued",
    "running",
    "success",
    "failed",
    "restarting",
    "up_for_retry",
    "upstream_failed",
    "skipped",
    "removed",
]
RunState = Literal["queued", "running", "success", "failed"]
RunType = Literal["manual", "scheduled", "backfill"]
FinalState = Literal["success", "failed", "skipped"]

FINISHED: frozenset[TaskState | None] = frozenset(
    {"success", "failed", "upstream_failed", "skipped", "removed"}
)
FINISHED_WELL: frozenset[TaskState | None] = frozenset({"success", "skipped"})
FINISHED_RUN: frozenset[RunState] = frozenset({"success", "failed"})

_SET: frozenset[TaskState | None] = frozenset({"success", "failed", "skipped", "removed"})
_AGAIN: frozenset[TaskState | None] = _SET | {"upstream_failed", None}

# None is Airflow's "no status": nothing was decided yet. ``restarting`` was cleared while a try was
# open, which has to end first. ``removed`` is an instance of a mapped task that has become shorter.
TRANSITIONS: dict[TaskState | None, frozenset[TaskState | None]] = {
    None: _SET | {"scheduled", "upstream_failed"},
    "scheduled": _SET | {"queued", None},
    "queued": _SET | {"running", "up_for_retry", "restarting"},
    "running": _SET | {"up_for_retry", "restarting"},
    "restarting": _SET | {None},
    "up_for_retry": _SET | {"scheduled", None},
    "success": _AGAIN - {"success"},
    "failed": _AGAIN - {"failed"},
    "skipped": _AGAIN - {"skipped"},
    "upstream_failed": _AGAIN - {"upstream_failed"},
    "removed": frozenset({None}),
}

Phase = Literal[
    "scheduled",
    "dispatched",
    "created",
    "placed",
    "started",
    "agent_up",
    "import_started",
    "entered",
    "left",
    "reported",
    "ended",
]
PHASES: tuple[Phase, ...] = (
    "scheduled",
    "dispatched",
    "created",
    "placed",
    "started",
    "agent_up",
    "import_started",
    "entered",
    "left",
    "reported",
    "ended",
)


class RunKey(NamedTuple):
    """Which run. A run_id is unique within its DAG only."""

    dag_id: str
    run_id: str


class TryKey(NamedTuple):
    """Which try of which task of which run. ``try_number`` counts from 1."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int

    @property
    def run(self) -> RunKey:
        """The run that the try belongs to."""
        return RunKey(self.dag_id, self.run_id)


@dataclass(frozen=True)
class RunRequest:
    """A run that somebody asks for.

    ``logical_date`` is ISO 8601 with an offset, None for now. With ``task_id`` only that task
    runs, and ``inputs`` holds, by task_id, what its upstream tasks would have returned.
    ``traceparent`` names the trace that the run belongs to (W3C Trace Context).
    """

    spec: DagSpec
    image: str
    conf: dict[str, Any] = field(default_factory=dict)
    logical_date: str | None = None
    task_id: str | None = None
    inputs: dict[str, Any] | None = None
    run_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class Update:
    """One thing that a watcher of a run may want to show, ``at`` seconds since the epoch.

    ``state``: a task instance (or, with task_id None, the run) has the state ``text``.
    ``log``: a task wrote ``text`` to ``stream``.
    """

    kind: Literal["state", "log"]
    at: float
    text: str
    task_id: str | None = None
    map_index: int = NOT_MAPPED
    try_number: int = 0
    stream: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class TaskResult:
    """How a task of a run stands. ``timeline_ms`` is that of the latest try; see ``timeline``."""

    task_id: str
    map_index: int
    state: TaskState | None
    try_number: int
    reason: str | None
    return_value: Any
    artifacts: str | None
    timeline_ms: dict[str, float]
    instants: dict[str, float]
    exit_code: int | None = None
    oom_killed: bool = False


@dataclass(frozen=True)
class RunResult:
    """How a run stands."""

    dag_id: str
    run_id: str
    state: RunState
    reason: str | None
    image: str
    tasks: tuple[TaskResult, ...]
