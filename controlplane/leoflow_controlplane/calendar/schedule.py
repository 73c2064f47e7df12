"""Make the runs that the DAGs' schedules ask for, as soon as they are due and there is room.

A companion of the book: it takes part in the steps of the writer. When a run is due is decided by
``timetable``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.dagversion import DagVersion
from leoflow_controlplane.book.heldrun import HeldRun, RunPlan
from leoflow_controlplane.calendar.alarm import Alarm
from leoflow_controlplane.error import Conflict
from leoflow_controlplane.model import RunType
from leoflow_controlplane.steps.run import create_run
from leoflow_controlplane.store.dagschedule import last_interval, read_schedules, write_schedule
from leoflow_controlplane.store.reading import read_dag
from leoflow_controlplane.timetable.planning import plan_runs
from leoflow_controlplane.timetable.timetable import Due, Timetable


class Schedules:
    """Implements ``book.Companion`` for the schedules of all DAGs."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop what is remembered."""
        self._alarm: Alarm[str] = Alarm()
        # DAGs that may have a run to make as soon as one of theirs is over.
        self._blocked: set[str] = set()

    def load(self, connection: Connection, book: Book) -> None:  # noqa: ARG002
        """Read when each DAG has its next run."""
        for dag_id, next_at in read_schedules(connection):
            self._note(dag_id, next_at)

    def next_due(self) -> float | None:
        """Give the instant of the next run."""
        return self._alarm.next()

    def come_due(self, connection: Connection, book: Book, now: float) -> None:
        """Make the runs that are due."""
        for dag_id in self._alarm.take(now):
            self._look(connection, book, dag_id, now)

    def run_ended(self, connection: Connection, book: Book, run: HeldRun, now: float) -> None:  # noqa: ARG002
        """Look again at a DAG that had no room for another run.

        Not in this step: a DAG whose runs end as soon as they begin would never let go of it.
        """
        if run.key.dag_id in self._blocked and run.backfill_id is None:
            self._alarm.set(run.key.dag_id, now)

    def dag_changed(self, connection: Connection, book: Book, dag_id: str, now: float) -> None:
        """Look at a DAG that has a new version, or was paused, unpaused or deleted."""
        self._look(connection, book, dag_id, now)

    def _look(self, connection: Connection, book: Book, dag_id: str, now: float) -> None:
        dag = read_dag(connection, dag_id)
        self._alarm.set(dag_id, None)
        self._blocked.discard(dag_id)
        if dag is None:
            return
        book.draft.size += 1
        last, next_at = last_interval(dag), None
        version = book.versions.get(dag.dag_version_id)
        if not dag.is_paused and version.spec.schedule is not None:
            plan = plan_runs(
                Timetable(
                    version.spec,
                    intervals=book.settings.create_data_intervals,
                    since=datetime.fromtimestamp(dag.version_created_at, UTC),
                ),
                last,
                _room(book, version),
                datetime.fromtimestamp(now, UTC),
            )
            for due in plan.runs:
                make_run(book, version, plan_of(due, "scheduled"), now)
            last, next_at = plan.last, plan.next_at
            self._note(dag_id, None if next_at is None else next_at.timestamp())
        write_schedule(connection, dag_id, last, next_at)

    def _note(self, dag_id: str, next_at: float | None) -> None:
        self._alarm.set(dag_id, next_at)
        if next_at is None:
            self._blocked.add(dag_id)


def plan_of(due: Due, run_type: RunType, **fields: Any) -> RunPlan:
    """Say which run is to be made for a date of a schedule; ``fields`` are further ones of it."""
    logical_date = due.logical_date.isoformat()
    return RunPlan(
        run_id=f"{run_type}__{logical_date}",
        run_type=run_type,
        logical_date=logical_date,
        data_interval_start=due.interval.start.isoformat(),
        data_interval_end=due.interval.end.isoformat(),
        **fields,
    )


def make_run(book: Book, version: DagVersion, plan: RunPlan, now: float) -> HeldRun | None:
    """Make a run; None if it was made before, by a schedule that the DAG had then."""
    try:
        return create_run(book, version, plan, now)
    except Conflict:
        return None


def _room(book: Book, version: DagVersion) -> int:
    gate = book.gate(version.dag_id, None)
    return version.spec.max_active_runs - len(gate.running) - gate.queued
