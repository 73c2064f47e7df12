"""What changed since the last flush, each row once and as it is when it is written."""

from __future__ import annotations

from typing import Any, NamedTuple

from leoflow_controlplane.book.heldrun import HeldRun, OpenTry
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.model import NOT_MAPPED, TryKey


class JournalEntry(NamedTuple):
    """A row of the journal, in the order of its columns."""

    run_pk: int
    kind: str
    at: float
    text: str
    task_id: str | None = None
    map_index: int = NOT_MAPPED
    try_number: int = 0
    seq: int | None = None
    stream: str | None = None
    reason: str | None = None


# Since when a task instance or, with None for its task_id, its run has another state: at, state,
# task_id, map_index, try_number, reason. There are four for each task, and a NamedTuple takes five
# times as long to be made and to be written as JSON.
StateChange = tuple[float, str, str | None, int, int, str | None]


class StateChanges(NamedTuple):
    """A row of the journal for changes of one run between which nothing else was told of it."""

    run_pk: int
    changes: list[StateChange]


# Of a run with more of them a watcher is told in parts.
MOST_CHANGES = 500


class Draft:
    """Rows that wait to be written. ``size`` counts what was noted, the same row each time."""

    def __init__(self) -> None:
        self.size = 0
        self.runs: dict[int, HeldRun] = {}
        self.instances: dict[tuple[int, str, int], tuple[HeldRun, Instance]] = {}
        self.tries: dict[TryKey, OpenTry] = {}
        # By run and task: JSON text by map_index and key; instances whose earlier ones have to go.
        self.xcoms: dict[tuple[int, str], dict[tuple[int, str], str]] = {}
        self.forgotten_xcoms: dict[tuple[int, str], set[int]] = {}
        self.removed_instances: dict[tuple[int, str, int], None] = {}
        self.journal: list[JournalEntry | StateChanges] = []
        # By run the last of them, if nothing else of that run has come after it.
        self._changes: dict[int, list[StateChange]] = {}
        self.webhooks: list[dict[str, Any]] = []

    def note_run(self, run: HeldRun) -> None:
        """Have the row of a run written."""
        self.size += 1
        self.runs[run.pk] = run

    def note_instance(self, run: HeldRun, instance: Instance) -> None:
        """Have the row of a task instance written."""
        self.size += 1
        place = (run.pk, instance.task_id, instance.map_index)
        if self.removed_instances:
            self.removed_instances.pop(place, None)
        self.instances[place] = (run, instance)

    def note_removed(self, run: HeldRun, instance: Instance) -> None:
        """Have the row of a task instance removed, with its tries."""
        self.size += 1
        place = (run.pk, instance.task_id, instance.map_index)
        self.instances.pop(place, None)
        self.removed_instances[place] = None

    def note_try(self, held: OpenTry) -> None:
        """Have the row of a try written."""
        self.size += 1
        self.tries[held.key] = held

    def note_xcom(self, run_pk: int, task_id: str, map_index: int, key: str, text: str) -> None:
        """Have a value (JSON text) written in place of an earlier one."""
        self.size += 1
        self.xcoms.setdefault((run_pk, task_id), {})[map_index, key] = text

    def forget_xcoms(self, run_pk: int, task_id: str, map_index: int) -> None:
        """Have the values of a task instance removed."""
        self.size += 1
        self.forgotten_xcoms.setdefault((run_pk, task_id), set()).add(map_index)
        written = self.xcoms.get((run_pk, task_id), {})
        for place in [place for place in written if place[0] == map_index]:
            del written[place]

    def note_journal(self, entry: JournalEntry) -> None:
        """Have a line of the journal written."""
        self.size += 1
        self._changes.pop(entry.run_pk, None)
        self.journal.append(entry)

    def note_change(self, run_pk: int, change: StateChange) -> None:
        """Have a change of state told to who watches the run."""
        self.size += 1
        changes = self._changes.get(run_pk)
        if changes is None or len(changes) == MOST_CHANGES:
            changes = self._changes[run_pk] = []
            self.journal.append(StateChanges(run_pk, changes))
        changes.append(change)

    def note_webhook(self, row: dict[str, Any]) -> None:
        """Have a message kept that has to be delivered."""
        self.size += 1
        self.webhooks.append(row)
