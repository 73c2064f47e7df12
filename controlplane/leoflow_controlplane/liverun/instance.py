"""One task of one run as it stands, and which of its states mean what. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from leoflow_controlplane.model import NOT_MAPPED, TaskState

# A try of the instance may be open: somebody has to stop it before the state can be another one.
OPEN: frozenset[TaskState | None] = frozenset({"queued", "running", "restarting"})
# The instance goes on by itself: nobody has to decide anything about it.
MOVING: frozenset[TaskState | None] = OPEN | {"scheduled", "up_for_retry"}

MARKED = "marked by hand"


@dataclass(slots=True)
class Instance:
    """A task instance. Instants are seconds since the epoch.

    A failed try is followed by another one as long as its number is not above ``max_tries``.
    ``machinery_tries`` of them ended by no fault of the task's and were made up for since it was
    cleared last. ``due_at`` is set while it waits to be tried again.
    """

    task_id: str
    map_index: int = NOT_MAPPED
    state: TaskState | None = None
    try_number: int = 0
    max_tries: int = 0
    machinery_tries: int = 0
    due_at: float | None = None
    scheduled_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    reason: str | None = None

    @property
    def is_marked(self) -> bool:
        """Whether a person gave it its state, and no try."""
        return self.reason == MARKED
