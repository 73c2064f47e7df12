"""Reads into the book and writes out of it: what connects the memory and the tables."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.dagversion import DagVersion
from leoflow_controlplane.book.draft import Draft
from leoflow_controlplane.book.gate import Gate
from leoflow_controlplane.book.heldrun import HeldRun, OpenTry
from leoflow_controlplane.book.past import PreviousRun
from leoflow_controlplane.book.values import RunValues
from leoflow_controlplane.liverun.facts import NO_PAST, Past, RunFacts
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.liverun.liverun import LiveRun
from leoflow_controlplane.model import PHASES, RunKey, TaskState
from leoflow_controlplane.store import reading
from leoflow_controlplane.store.flush import write_draft
from leoflow_controlplane.store.reading import RunRows
from leoflow_controlplane.verdict import Verdict

# More runs of a DAG at once than anybody has.
NO_LIMIT = 2**31


class Keeper:
    """Implements ``book.Store``."""

    def load(self, connection: Connection, book: Book) -> None:
        """Remember all runs of the book's owner that are not over."""
        held = [
            hold_run(book, rows) for rows in reading.read_unfinished(connection, book.policy.owner)
        ]
        _queue_instances(book, held)

    def read_version(self, connection: Connection, pk: int) -> DagVersion:
        """Read a version of a DAG."""
        return reading.read_version(connection, pk)

    def make_gate(
        self, connection: Connection, book: Book, dag_id: str, backfill_id: int | None
    ) -> Gate:
        """Make the gate of a DAG's runs, or of those of a backfill."""
        paused = book.is_paused(dag_id)
        if backfill_id is not None:
            row = reading.read_backfill(connection, backfill_id)
            if row is not None:
                return Gate(row.max_active_runs, dag_is_paused=paused, is_paused=row.is_paused)
        row = reading.read_dag(connection, dag_id)
        if row is None:
            # Nobody has registered it: whoever runs it by hand knows how often.
            return Gate(NO_LIMIT, dag_is_paused=paused)
        version = book.versions.get(row.dag_version_id)
        return Gate(version.spec.max_active_runs, dag_is_paused=paused)

    def is_paused(self, connection: Connection, dag_id: str) -> bool:
        """Say whether a DAG is paused."""
        row = reading.read_dag(connection, dag_id)
        return row is not None and bool(row.is_paused)

    def read_values(
        self, connection: Connection, run_pk: int, task_id: str, key: str
    ) -> dict[int, str]:
        """Read what a task left."""
        return reading.read_values(connection, run_pk, task_id, key)

    def read_states(
        self, connection: Connection, run_pk: int
    ) -> tuple[int, dict[str, list[TaskState | None]]] | None:
        """Read the key of a run's version and how its tasks stand; None if it was deleted."""
        version_pk = reading.read_version_pk(connection, run_pk)
        if version_pk is None:
            return None
        states: dict[str, list[TaskState | None]] = {}
        for row in reading.read_instances(connection, run_pk):
            states.setdefault(row.task_id, []).append(row.state)
        return version_pk, states

    def read_previous(self, connection: Connection, book: Book, run: HeldRun) -> int | None:
        """Give the key of the DAG's run before a run; None if there is none."""
        owner, dag_id = book.policy.owner, run.key.dag_id
        return reading.read_previous(connection, owner, dag_id, run.logical_at)

    def write_draft(self, connection: Connection, draft: Draft) -> None:
        """Write everything that changed."""
        write_draft(connection, draft)


def hold_run(book: Book, rows: RunRows) -> HeldRun:
    """Remember a run as it is in the tables. What of it waits is not in any line yet."""
    run = make_run(book, rows.run, [_instance(row) for row in rows.instances])
    for row in rows.tries:
        book.begin_try(_open_try(run, row))
    gate = book.gate(run.key.dag_id, run.backfill_id)
    if run.facts.state == "running":
        gate.running.add(run.pk)
    elif run.facts.state == "queued":
        gate.join(run)
    book.agenda.note_run(run)
    return run


def make_run(book: Book, row: Row[Any], instances: list[Instance]) -> HeldRun:
    """Make a run of its row and its task instances, and remember it."""
    version = book.versions.get(row.dag_version_id)
    run = HeldRun(
        facts=_facts(row, version, instances),
        version=version,
        backfill_id=row.backfill_id,
        logical_at=row.logical_at,
        logical_date=row.logical_date,
        data_interval_start=row.data_interval_start,
        data_interval_end=row.data_interval_end,
        conf=json.loads(row.conf),
        params=json.loads(row.params),
        traceparent=row.traceparent,
    )
    run.live = LiveRun(
        version.plan,
        run.facts,
        instances,
        RunValues(book, run.pk),
        _past(book, run),
        max_map_length=book.settings.max_map_length,
        machinery_retries=book.settings.machinery_retries,
    )
    book.hold(run)
    return run


def _queue_instances(book: Book, held: list[HeldRun]) -> None:
    waiting = [
        (instance.scheduled_at or 0.0, number, run, instance)
        for number, run in enumerate(held)
        for instance in run.live.instances
        if instance.state == "scheduled"
    ]
    for _, _, run, instance in sorted(waiting, key=lambda item: item[:2]):
        book.places.lines[instance.task_id in run.version.inline].join(run, instance)


def _facts(row: Row[Any], version: DagVersion, instances: list[Instance]) -> RunFacts:
    names = {instance.task_id for instance in instances}
    # A run of one task alone has no rows of the others.
    alone = names if len(names) == 1 < len(version.tasks) else {None}
    return RunFacts(
        key=RunKey(row.dag_id, row.run_id),
        pk=row.id,
        state=row.state,
        cancelled=row.cancelled,
        started_at=row.started_at,
        selected=next(iter(alone)),
        finished_at=row.finished_at,
        reason=row.reason,
    )


def _past(book: Book, run: HeldRun) -> Past:
    if not run.version.looks_back:
        return NO_PAST
    previous = book.store.read_previous(book.connection, book, run)
    if previous is None:
        return NO_PAST
    book.note_follower(previous, run.pk)
    run.previous = PreviousRun(book, previous)
    return run.previous


def _instance(row: Row[Any]) -> Instance:
    return Instance(
        task_id=row.task_id,
        map_index=row.map_index,
        state=row.state,
        try_number=row.try_number,
        max_tries=row.max_tries,
        machinery_tries=row.machinery_tries,
        due_at=row.due_at,
        scheduled_at=row.scheduled_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        reason=row.reason,
    )


def _open_try(run: HeldRun, row: Row[Any]) -> OpenTry:
    instance = run.live.instance(row.task_id, row.map_index)
    found = {phase: getattr(row, f"{phase}_at") for phase in PHASES}
    return OpenTry(
        key=run.try_key(instance, row.try_number),
        run=run,
        instance=instance,
        inline=bool(row.inline),
        artifacts=row.artifacts,
        nonce=row.nonce,
        acked_seq=row.acked_seq,
        verdict=None if row.state is None else Verdict(row.state, row.reason),
        reported_verdict=bool(row.reported_verdict),
        terminate=row.terminate,
        defect=row.defect,
        deadline_at=row.deadline_at,
        exit_code=row.exit_code,
        oom_killed=bool(row.oom_killed),
        is_written=True,
        instants={phase: at for phase, at in found.items() if at is not None},
    )
