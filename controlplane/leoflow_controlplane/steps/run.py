"""Make runs and cancel them."""

from __future__ import annotations

import json

from leoflow_agent.spec import DagSpec
from sqlalchemy import Connection

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.dagversion import DagVersion
from leoflow_controlplane.book.heldrun import HeldRun, RunPlan
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.error import Conflict, NotFound
from leoflow_controlplane.liverun.liverun import LiveRun
from leoflow_controlplane.model import FINISHED_RUN, NOT_MAPPED, RETURN_VALUE, RunKey
from leoflow_controlplane.steps.progress import follow, go_on, let_through
from leoflow_controlplane.store.keeper import hold_run, make_run
from leoflow_controlplane.store.newrun import insert_run, register_version
from leoflow_controlplane.store.reading import read_run, read_run_pk


def submit(
    connection: Connection, book: Book, dag: tuple[DagSpec, str], plan: RunPlan, now: float
) -> Progress:
    """Make a run of a DAG (spec, image) that nobody has registered; hand out its first tries."""
    book.begin(connection)
    spec, image = dag
    pk, _, _ = register_version(connection, spec, {"reference": image, "digest": None}, now)
    create_run(book, book.versions.get(pk), plan, now)
    return go_on(book, now)


def create_run(book: Book, version: DagVersion, plan: RunPlan, now: float) -> HeldRun:
    """Make a run, which starts when its DAG's limit lets it; Conflict if its run_id is taken.

    For other steps as well: it begins and ends none.
    """
    key = RunKey(version.dag_id, plan.run_id)
    if read_run_pk(book.connection, key) is not None:
        raise Conflict(f"DAG '{key.dag_id}' already has a run '{key.run_id}'. Choose another.")
    row = insert_run(book.connection, version, plan, book.policy.owner, now)
    instances = LiveRun.new_instances(version.plan, plan.task_id)
    run = make_run(book, row, instances)
    book.touch(run)
    book.draft.note_change(run.pk, (now, "queued", None, NOT_MAPPED, 0, None))
    for instance in instances:
        book.draft.note_instance(run, instance)
    for task_id, value in (plan.inputs or {}).items():
        text = json.dumps(value)
        book.draft.note_xcom(run.pk, task_id, NOT_MAPPED, RETURN_VALUE, text)
    book.gate(key.dag_id, plan.backfill_id).join(run)
    let_through(book, key.dag_id, plan.backfill_id, now)
    return run


def cancel(connection: Connection, book: Book, key: RunKey, now: float) -> Progress:
    """Cancel a run: what waits ends now, what runs is stopped; harmless when it is over."""
    book.begin(connection)
    run = book.runs.get(key)
    if run is None or run.facts.state in FINISHED_RUN:
        return book.progress()
    cancel_run(book, run, "the run was cancelled", now)
    return go_on(book, now)


def cancel_run(book: Book, run: HeldRun, reason: str, now: float) -> None:
    """Cancel a run for ``reason``, and stop all of its tries. Ends no step."""
    book.touch(run)
    follow(book, run, run.live.cancel(now, reason), now)


def find_run(book: Book, key: RunKey) -> HeldRun:
    """Give a run, reading it if it is over; NotFound if there is none, Conflict for one that is
    another process's."""
    run = book.runs.get(key)
    if run is not None:
        return run
    rows = read_run(book.connection, key)
    if rows is None:
        raise NotFound(f"DAG '{key.dag_id}' has no run '{key.run_id}'.")
    if rows.run.instance_id != book.policy.owner:
        raise Conflict(
            f"run '{key.run_id}' of DAG '{key.dag_id}' belongs to a 'leoflow run' process, and "
            "only that can change it."
        )
    return hold_run(book, rows)
