"""Make DAGs known, pause them and forget them."""

from __future__ import annotations

from leoflow_agent.spec import BuiltDag
from sqlalchemy import Connection

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.dagversion import DagVersion
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.command import Registered, Trigger
from leoflow_controlplane.error import Conflict, NotFound
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.steps.manual import make_plan
from leoflow_controlplane.steps.progress import go_on, let_through
from leoflow_controlplane.steps.run import create_run
from leoflow_controlplane.store import dag as table
from leoflow_controlplane.store.newrun import register_version
from leoflow_controlplane.store.reading import read_dag


def register_dag(
    connection: Connection, book: Book, built: BuiltDag, now: float
) -> tuple[Registered, Progress]:
    """Make a version of a DAG known and current; runs that exist keep theirs."""
    book.begin(connection)
    spec, image = built.spec, built.image
    place = {"reference": image.reference, "digest": image.digest}
    book.draft.size += 1
    pk, number, is_new = register_version(connection, spec, place, now)
    paused = spec.is_paused_upon_creation
    if paused is None:
        paused = book.settings.dags_paused_at_creation
    # A version that only `leoflow run` has run is there, and its DAG is not.
    unknown = table.set_current(connection, spec.dag_id, pk, is_paused=paused, now=now)
    book.gate(spec.dag_id, None).limit = spec.max_active_runs
    _tell(connection, book, spec.dag_id, now)
    return Registered(spec.dag_id, number, is_new or unknown), go_on(book, now)


def delete_dag(connection: Connection, book: Book, dag_id: str, now: float) -> Progress:
    """Forget a DAG, its versions and runs; Conflict while one of its runs is not over."""
    book.begin(connection)
    _find(connection, dag_id)
    unfinished = [run for run in book.runs.values() if run.key.dag_id == dag_id]
    if unfinished or table.has_unfinished_runs(connection, dag_id):
        raise Conflict(
            f"DAG '{dag_id}' has a run that is not over. Wait for it, or mark it failed first."
        )
    book.draft.size += 1
    table.delete_dag(connection, dag_id)
    book.forget_dag(dag_id)
    _tell(connection, book, dag_id, now)
    return go_on(book, now)


def pause_dag(
    connection: Connection, book: Book, dag_id: str, paused: bool, now: float
) -> Progress:
    """Let a DAG start nothing, or go on."""
    book.begin(connection)
    _find(connection, dag_id)
    book.draft.size += 1
    table.set_paused(connection, dag_id, paused)
    book.pause(dag_id, paused)
    _tell(connection, book, dag_id, now)
    return go_on(book, now)


def trigger(
    connection: Connection, book: Book, dag_id: str, asked: Trigger, now: float
) -> tuple[RunKey, Progress]:
    """Make a run of the current version of a DAG."""
    book.begin(connection)
    version = current_version(connection, book, dag_id)
    plan = make_plan(version, asked, book.settings, now)
    run = create_run(book, version, plan, now)
    return run.key, go_on(book, now)


def current_version(connection: Connection, book: Book, dag_id: str) -> DagVersion:
    """Give the version that new runs of a DAG have; NotFound if it was never registered."""
    return book.versions.get(_find(connection, dag_id))


def _find(connection: Connection, dag_id: str) -> int:
    row = read_dag(connection, dag_id)
    if row is None:
        raise NotFound(f"there is no DAG '{dag_id}'. Push it first: leoflow push DIR.")
    return int(row.dag_version_id)


def _tell(connection: Connection, book: Book, dag_id: str, now: float) -> None:
    """Let through what may go on, and tell those that take part."""
    for backfill_id in book.gate_ids_of(dag_id):
        let_through(book, dag_id, backfill_id, now)
    for companion in book.companions:
        companion.dag_changed(connection, book, dag_id, now)
