"""What a run knows of the world around it: its own row, values that tasks left, the run before."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from leoflow_controlplane.model import RunKey, RunState, TaskState


class Missing(Enum):
    """The type of MISSING."""

    MISSING = "missing"


# An instance left no value, which is something else than having left null.
MISSING: Final = Missing.MISSING


@dataclass(slots=True)
class RunFacts:
    """A run as it stands. Instants are seconds since the epoch.

    ``selected``: that task runs alone. ``cancelled``: it ends as failed, whatever its tasks do.
    """

    key: RunKey
    pk: int
    state: RunState = "queued"
    cancelled: bool = False
    started_at: float | None = None
    selected: str | None = None
    finished_at: float | None = None
    reason: str | None = None


class Values(Protocol):
    """The return values that the instances of a run left."""

    def value(self, task_id: str, map_index: int) -> Any:
        """Give what an instance returned, or MISSING."""

    def left(self, task_id: str) -> Set[int]:
        """Give the map indices of the instances that returned something. Asked once for all."""


class Past(Protocol):
    """How the DAG's previous run stands; NO_PAST if there is none."""

    def state(self, task_id: str) -> TaskState | None:
        """Give the state of a task; of a mapped one, a bad or open state if any instance has one:
        as in Airflow the past of a task is that of all its instances."""

    def downstream_done(self, task_id: str) -> bool:
        """Say whether all that is directly downstream of a task ended as success or skipped."""


class _NoPast:
    def state(self, task_id: str) -> TaskState | None:  # noqa: ARG002
        return "success"

    def downstream_done(self, task_id: str) -> bool:  # noqa: ARG002
        return True


NO_PAST: Final[Past] = _NoPast()
