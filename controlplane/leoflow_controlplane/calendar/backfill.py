"""Make the runs of backfills, some at a time, and end a backfill when all of its runs are over.

A companion of the book, and the steps of the commands. How many run at once is the gate's to say.
"""

from __future__ import annotations

import json
from collections import deque
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from sqlalchemy import Connection, Row

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.dagversion import DagVersion
from leoflow_controlplane.book.heldrun import HeldRun
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.calendar.schedule import make_run, plan_of
from leoflow_controlplane.command import BackfillRequest, TaskSelection
from leoflow_controlplane.error import Conflict, NotFound, Refused
from leoflow_controlplane.model import FINISHED_RUN, RunKey
from leoflow_controlplane.steps.dag import current_version
from leoflow_controlplane.steps.manual import check_conf
from leoflow_controlplane.steps.progress import follow, go_on, let_through
from leoflow_controlplane.steps.run import cancel_run, find_run
from leoflow_controlplane.store import dagschedule as table
from leoflow_controlplane.store.reading import read_backfill
from leoflow_controlplane.timetable.planning import MOST_AT_ONCE, BackfillRun, plan_backfill
from leoflow_controlplane.timetable.timetable import YEARS, Timetable

MOST_RUNS = 10_000
CANCELLED = "its backfill was cancelled"


class Backfills:
    """Implements ``book.Companion`` for all backfills that are not over."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop what is remembered."""
        # What each backfill has still to make.
        self._plans: dict[int, deque[BackfillRun]] = {}

    def load(self, connection: Connection, book: Book) -> None:
        """Plan the open backfills anew, leaving out the runs that they have made."""
        for row in table.read_open_backfills(connection):
            self._plans[row.id] = deque(_plan(connection, book, row))

    def next_due(self) -> float | None:
        """Give an instant that has passed while there is anything to make."""
        return 0.0 if any(self._plans.values()) else None

    def come_due(self, connection: Connection, book: Book, now: float) -> None:
        """Make the next runs of each backfill."""
        for backfill_id, plan in list(self._plans.items()):
            row = read_backfill(connection, backfill_id)
            if row is None:
                # It went with its DAG.
                del self._plans[backfill_id]
                continue
            for _ in range(min(len(plan), MOST_AT_ONCE)):
                _carry_out(connection, book, row, plan.popleft(), now)
            self._end_if_over(connection, book, backfill_id, now)

    def run_ended(self, connection: Connection, book: Book, run: HeldRun, now: float) -> None:
        """End a backfill with its last run."""
        if run.backfill_id is not None:
            self._end_if_over(connection, book, run.backfill_id, now, but=run.key)

    def dag_changed(self, connection: Connection, book: Book, dag_id: str, now: float) -> None:
        """A backfill goes on with what its DAG is when each run is made."""

    def create(
        self, connection: Connection, book: Book, request: BackfillRequest, now: float
    ) -> tuple[int, Progress]:
        """Begin a backfill and give its id; raises Refused, Conflict and NotFound."""
        book.begin(connection)
        version = current_version(connection, book, request.dag_id)
        first, last = _check(book, request, version)
        open_ones = table.read_open_backfills(connection)
        for other in open_ones:
            if other.dag_id == request.dag_id:
                raise Conflict(
                    f"DAG '{request.dag_id}' has a backfill that is not over: {other.id}. Wait "
                    "for its end, or cancel it."
                )
        _check_length(book, version, first, last)
        book.draft.size += 1
        backfill_id = table.insert_backfill(
            connection,
            {
                "dag_id": request.dag_id,
                "from_date": first.isoformat(),
                "to_date": last.isoformat(),
                "conf": json.dumps(dict(request.conf)),
                "max_active_runs": request.max_active_runs,
                "reprocess_behavior": request.reprocess_behavior,
                "run_backwards": request.run_backwards,
                "is_paused": False,
                "created_at": now,
            },
        )
        row = read_backfill(connection, backfill_id)
        assert row is not None
        self._plans[backfill_id] = deque(_plan(connection, book, row))
        self.come_due(connection, book, now)
        return backfill_id, go_on(book, now)

    def change(
        self,
        connection: Connection,
        book: Book,
        backfill_id: int,
        action: Literal["pause", "unpause", "cancel"],
        now: float,
    ) -> Progress:
        """Pause, unpause or cancel a backfill; NotFound, or Conflict if it is over."""
        book.begin(connection)
        row = read_backfill(connection, backfill_id)
        if row is None:
            raise NotFound(f"there is no backfill '{backfill_id}'.")
        if row.finished_at is not None:
            raise Conflict(f"backfill '{backfill_id}' is over.")
        book.draft.size += 1
        if action == "cancel":
            self._cancel(connection, book, row, now)
        else:
            paused = action == "pause"
            table.update_backfill(connection, backfill_id, is_paused=paused)
            book.gate(row.dag_id, backfill_id).is_paused = paused
            let_through(book, row.dag_id, backfill_id, now)
        return go_on(book, now)

    def _cancel(self, connection: Connection, book: Book, row: Row[Any], now: float) -> None:
        """As in Airflow: runs that wait are failed, those that run go on to their end."""
        self._plans.pop(row.id, None)
        table.update_backfill(connection, row.id, finished_at=now)
        for key in table.read_unfinished_of(connection, row.id):
            run = book.runs.get(RunKey(*key))
            if run is not None and run.facts.state == "queued":
                cancel_run(book, run, CANCELLED, now)

    def _end_if_over(
        self,
        connection: Connection,
        book: Book,
        backfill_id: int,
        now: float,
        but: RunKey | None = None,
    ) -> None:
        plan = self._plans.get(backfill_id)
        if plan is None or plan:
            return
        for key in table.read_unfinished_of(connection, backfill_id):
            run = book.runs.get(RunKey(*key))
            if RunKey(*key) != but and run is not None and run.facts.state not in FINISHED_RUN:
                return
        del self._plans[backfill_id]
        table.update_backfill(connection, backfill_id, finished_at=now)


def _carry_out(
    connection: Connection, book: Book, row: Row[Any], item: BackfillRun, now: float
) -> None:
    known = None if item.run_id is None else _find_run(book, RunKey(row.dag_id, item.run_id))
    if known is None:
        version = current_version(connection, book, row.dag_id)
        plan = plan_of(item.due, "backfill", conf=json.loads(row.conf), backfill_id=row.id)
        make_run(book, version, plan, now)
        return
    book.touch(known)
    known.backfill_id = row.id
    table.join_backfill(connection, known.pk, row.id)
    follow(book, known, known.live.clear(TaskSelection(), now), now)


def _find_run(book: Book, key: RunKey) -> HeldRun | None:
    """Give a run that is to be cleared; None if somebody has deleted it before its turn."""
    try:
        return find_run(book, key)
    except NotFound:
        return None


def _plan(connection: Connection, book: Book, row: Row[Any]) -> list[BackfillRun]:
    """Plan what a backfill has still to do: what it made or cleared before is left out."""
    version = current_version(connection, book, row.dag_id)
    first, last = datetime.fromisoformat(row.from_date), datetime.fromisoformat(row.to_date)
    known, belongs = table.read_known(connection, book.policy.owner, row.dag_id, first, last)
    timetable = Timetable(version.spec, intervals=book.settings.create_data_intervals)
    plan = plan_backfill(
        timetable, (first, last), known, row.reprocess_behavior, backwards=row.run_backwards
    )
    return [
        item
        for item in plan
        if item.action != "skip" and belongs.get(item.due.logical_date) != row.id
    ]


def _check(book: Book, request: BackfillRequest, version: DagVersion) -> tuple[datetime, datetime]:
    schedule = version.spec.schedule
    if schedule is None or schedule.kind not in ("cron", "interval"):
        raise Refused(
            f"DAG '{request.dag_id}' has no schedule with dates to backfill. Give it a cron "
            "expression or a timedelta."
        )
    first, last = _read_date(request.from_date), _read_date(request.to_date)
    if first > last:
        raise Refused(f"from_date '{request.from_date}' is after to_date '{request.to_date}'.")
    if request.max_active_runs < 1:
        raise Refused(f"max_active_runs is {request.max_active_runs}; it has to be 1 or more.")
    if problems := list(check_conf(version, request.conf, book.settings)):
        raise Refused("\n".join(problems))
    return first, last


def _read_date(text: str) -> datetime:
    try:
        date = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"from_date and to_date have to be ISO 8601: {error}.") from None
    if date.year not in YEARS:
        years = f"{YEARS.start} to {YEARS.stop - 1}"
        raise Refused(f"from_date and to_date have to be in the years {years}, and not '{text}'.")
    return date.astimezone(UTC)


def _check_length(book: Book, version: DagVersion, first: datetime, last: datetime) -> None:
    timetable = Timetable(version.spec, intervals=book.settings.create_data_intervals)
    count = sum(1 for _ in islice(timetable.between(first, last), MOST_RUNS + 1))
    if count > MOST_RUNS:
        raise Refused(
            f"this backfill has more than {MOST_RUNS} runs. Backfill shorter stretches, one "
            "after the other."
        )
    if count == 0:
        raise Refused(
            f"the schedule of DAG '{version.dag_id}' has no date from {first.isoformat()} to "
            f"{last.isoformat()}."
        )
