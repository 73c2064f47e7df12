"""The memory of the writer: runs that are not over, their tries, who waits for what.

Used by the writer's thread alone. Decides nothing; ``steps`` do that on it. What it holds can be
dropped at any moment and is read from the tables again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection

from leoflow_controlplane.book.agenda import Agenda
from leoflow_controlplane.book.dagversion import DagVersion, Versions
from leoflow_controlplane.book.draft import Draft
from leoflow_controlplane.book.gate import Gate
from leoflow_controlplane.book.heldrun import HeldRun, OpenTry
from leoflow_controlplane.book.place import Places
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.model import FINISHED_RUN, SERVER, RunKey, TaskState, TryKey
from leoflow_controlplane.setting import Settings


class Policy(NamedTuple):
    """Whose runs the book has, within which limits, and where tokens and folders come from."""

    owner: str
    settings: Settings
    issue_token: Callable[[TryKey, float], str]
    artifacts_folder: Callable[[TryKey], str]


class Companion(Protocol):
    """Something beside the runs that has a memory of its own and takes part in steps."""

    def load(self, connection: Connection, book: Book) -> None:
        """Read what is to be remembered."""

    def forget(self) -> None:
        """Drop it."""

    def next_due(self) -> float | None:
        """Give the first instant at which there is something to do."""

    def come_due(self, connection: Connection, book: Book, now: float) -> None:
        """Do what is due."""

    def run_ended(self, connection: Connection, book: Book, run: HeldRun, now: float) -> None:
        """Learn that a run has its final state, in the step that gave it."""

    def dag_changed(self, connection: Connection, book: Book, dag_id: str, now: float) -> None:
        """Learn that a DAG was registered, paused, unpaused or deleted."""


class Store(Protocol):
    """What the book has read and written for it; see ``store``."""

    def load(self, connection: Connection, book: Book) -> None: ...
    def read_version(self, connection: Connection, pk: int) -> DagVersion: ...
    def make_gate(
        self, connection: Connection, book: Book, dag_id: str, backfill_id: int | None
    ) -> Gate: ...
    def is_paused(self, connection: Connection, dag_id: str) -> bool: ...
    def read_values(
        self, connection: Connection, run_pk: int, task_id: str, key: str
    ) -> dict[int, str]: ...
    def read_states(
        self, connection: Connection, run_pk: int
    ) -> tuple[int, dict[str, list[TaskState | None]]] | None: ...
    def read_previous(self, connection: Connection, book: Book, run: HeldRun) -> int | None: ...
    def write_draft(self, connection: Connection, draft: Draft) -> None: ...


class Book:
    """Implements ``database.Memory``. ``begin`` comes first in each step, ``progress`` last."""

    def __init__(self, policy: Policy, store: Store, companions: Sequence[Companion] = ()) -> None:
        self.policy = policy
        # The limits that everything is held to.
        self.settings = policy.settings
        self.companions = tuple(companions)
        self.store = store
        self.versions = Versions(lambda pk: store.read_version(self.connection, pk))
        self._connection: Connection | None = None
        self._loaded = False
        self.draft = Draft()
        # The runs of the step that is under way, by key of their rows, and what it has led to.
        self.touched: dict[int, HeldRun] = {}
        self.led_to = Progress()
        self.forget()

    @property
    def size(self) -> int:
        """How many changes were made since the last flush."""
        return self.draft.size

    @property
    def connection(self) -> Connection:
        """The connection of the step that is under way."""
        assert self._connection is not None, "begin() comes first"
        return self._connection

    def flush(self, connection: Connection) -> None:
        """Write all changes as rows."""
        self.store.write_draft(connection, self.draft)
        self.draft = Draft()

    def forget(self) -> None:
        """Drop everything; it is read again when the next step begins."""
        self._loaded = False
        self.draft = Draft()
        self.versions.forget()
        self.runs: dict[RunKey, HeldRun] = {}
        self.runs_by_pk: dict[int, HeldRun] = {}
        self.tries: dict[TryKey, OpenTry] = {}
        self.places = Places(self.is_paused)
        self.agenda = Agenda()
        self._gates: dict[tuple[str, int | None], Gate] = {}
        self._paused: dict[str, bool] = {}
        self._followers: dict[int, set[int]] = {}
        for companion in self.companions:
            companion.forget()
        self._start_anew()

    def begin(self, connection: Connection) -> None:
        """Take up a step on ``connection``, reading everything if it was forgotten."""
        self._connection = connection
        if self.touched:
            # Of a step that came to no end.
            self._let_go()
        self._start_anew()
        if not self._loaded:
            self._loaded = True
            try:
                self.store.load(connection, self)
                for companion in self.companions:
                    companion.load(connection, self)
            except BaseException:
                self.forget()
                raise

    def progress(self) -> Progress:
        """Give what the step led to, and let go of runs that are over."""
        progress = self.led_to
        self._let_go()
        progress.changed = [run.key for run in self.touched.values()]
        self.touched = {}
        due_at = self.agenda.next_due()
        for companion in self.companions:
            at = companion.next_due()
            if at is not None and (due_at is None or at < due_at):
                due_at = at
        progress.next_due = due_at
        places, lines = self.places, self.places.lines
        progress.calls_wait = bool(
            lines[True].open and places.under_way[True] < self.settings.max_inline_calls
        )
        progress.queued = lines[False].length + lines[True].length
        return progress

    def touch(self, run: HeldRun) -> None:
        """Note that a run is about to change: whatever fails now, the memory cannot be trusted."""
        self.draft.size += 1
        self.touched[run.pk] = run

    def hold(self, run: HeldRun) -> None:
        """Remember a run."""
        self.runs[run.key] = self.runs_by_pk[run.pk] = run
        self.touched[run.pk] = run

    def followers(self, run: HeldRun) -> list[HeldRun]:
        """Give the runs whose previous run is this one."""
        return [
            follower
            for pk in self._followers.get(run.pk, ())
            if (follower := self.runs_by_pk.get(pk)) is not None
        ]

    def needs(self, run_pk: int) -> bool:
        """Say whether a run is in memory, or one that is in memory looks back at it."""
        return run_pk in self.runs_by_pk or run_pk in self._followers

    def note_follower(self, previous_pk: int, run_pk: int) -> None:
        """Remember that a run looks back at another one."""
        self._followers.setdefault(previous_pk, set()).add(run_pk)

    def look_further_back(self, run: HeldRun) -> None:
        """Have a run whose previous run was deleted look at the one before that."""
        if run.previous is None:
            return
        self._forget_follower(run)
        previous_pk = self.store.read_previous(self.connection, self, run)
        run.previous.look_further_back(previous_pk)
        if previous_pk is not None:
            self.note_follower(previous_pk, run.pk)

    def drop(self, run: HeldRun) -> None:
        """Remember a run no more, but who waits for it: it may be cleared, and end once more."""
        for follower in self.followers(run):
            if follower.previous is not None:
                follower.previous.remember(run)
        self._forget_follower(run)
        self.runs.pop(run.key, None)
        self.runs_by_pk.pop(run.pk, None)

    def leave(self, run: HeldRun) -> None:
        """Remember a run that is over no more, and tell nobody that it has ended: that was told
        before, and now it was only looked at, or is deleted."""
        self.drop(run)
        self.touched.pop(run.pk, None)

    def gate(self, dag_id: str, backfill_id: int | None) -> Gate:
        """Give the gate that runs of a DAG, or of one of its backfills, go through."""
        gate = self._gates.get((dag_id, backfill_id))
        if gate is None:
            gate = self.store.make_gate(self.connection, self, dag_id, backfill_id)
            self._gates[dag_id, backfill_id] = gate
        return gate

    def gate_ids_of(self, dag_id: str) -> list[int | None]:
        """Name the gates of a DAG that were used: None for its own, else that of a backfill."""
        return [backfill_id for name, backfill_id in self._gates if name == dag_id]

    def is_paused(self, dag_id: str) -> bool:
        """Say whether a DAG starts nothing now. Who runs a DAG by hand has no pause."""
        if self.policy.owner != SERVER:
            return False
        paused = self._paused.get(dag_id)
        if paused is None:
            paused = self._paused[dag_id] = self.store.is_paused(self.connection, dag_id)
        return paused

    def pause(self, dag_id: str, paused: bool) -> None:
        """Learn that a DAG starts nothing now, or goes on."""
        self._paused[dag_id] = paused
        for (name, _), gate in self._gates.items():
            if name == dag_id:
                gate.dag_is_paused = paused
        if not paused:
            self.places.free_dag(dag_id)

    def forget_dag(self, dag_id: str) -> None:
        """Drop what is known of a DAG that is no more."""
        self.versions.forget()
        self._paused.pop(dag_id, None)
        # Another one of its name is not held up by what held this one up.
        self.places.free_dag(dag_id)
        for place in [place for place in self._gates if place[0] == dag_id]:
            del self._gates[place]

    def begin_try(self, held: OpenTry) -> None:
        """Remember a try; one without a verdict takes a place."""
        self.tries[held.key] = held.run.tries[held.key] = held
        if held.is_current:
            self.places.count(held, 1)
        self.agenda.note_try(held)

    def end_try(self, held: OpenTry) -> None:
        """Remember a try no more: its container is gone."""
        self.tries.pop(held.key, None)
        held.run.tries.pop(held.key, None)
        self.places.lines[held.inline].free_try(held.run, held.instance)
        self.led_to.closed.append(held.instants)

    def _forget_follower(self, run: HeldRun) -> None:
        if run.previous is not None:
            others = self._followers.pop(run.previous.pk, set()) - {run.pk}
            if others:
                self._followers[run.previous.pk] = others

    def _let_go(self) -> None:
        for run in self.touched.values():
            if not run.tries and run.facts.state in FINISHED_RUN:
                self.drop(run)
                self.led_to.done.append(run.key)
                if run.version.spec.staging_bytes is not None:
                    self.led_to.over.append(run.key)

    def _start_anew(self) -> None:
        self.touched = {}
        self.led_to = Progress()
        # Values that were looked up in this step, by run, task and key.
        self.looked_up: dict[tuple[int, str, str], Any] = {}
        # What was in the tables of them, by map_index: that stays so until the group's end.
        self.stored_texts: dict[tuple[int, str, str], Mapping[int, str]] = {}
