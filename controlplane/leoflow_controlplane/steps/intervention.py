"""What people do to runs and their tasks: set a state, clear, delete."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.heldrun import HeldRun
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.command import TaskRef, TaskSelection
from leoflow_controlplane.error import Conflict
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.model import FINISHED_RUN, RunKey
from leoflow_controlplane.steps.progress import follow, go_on
from leoflow_controlplane.steps.run import find_run
from leoflow_controlplane.store import dag as table


def set_run_state(
    connection: Connection,
    book: Book,
    key: RunKey,
    state: Literal["queued", "success", "failed"],
    now: float,
) -> Progress:
    """End a run as success or failed, stopping what runs; or queue it again."""
    book.begin(connection)
    run = find_run(book, key)
    book.touch(run)
    follow(book, run, run.live.set_run_state(state, now), now)
    return go_on(book, now)


def delete_run(connection: Connection, book: Book, key: RunKey, now: float) -> Progress:
    """Forget a run that is over; who waited for it waits for the one before it."""
    book.begin(connection)
    run = find_run(book, key)
    if not run.is_over:
        state = run.facts.state if run.facts.state not in FINISHED_RUN else "ending"
        raise Conflict(
            f"run '{key.run_id}' of DAG '{key.dag_id}' is {state}. "
            "Wait for its end, or mark it failed first."
        )
    book.draft.size += 1
    followers = book.followers(run)
    book.leave(run)
    table.delete_run(connection, run.pk)
    for follower in followers:
        book.touch(follower)
        book.look_further_back(follower)
        follow(book, follower, follower.live.wake(now, follower.version.tasks), now)
    return go_on(book, now)


def clear(
    connection: Connection,
    book: Book,
    key: RunKey,
    asked: tuple[TaskSelection, bool],
    now: float,
) -> tuple[list[TaskRef], Progress]:
    """Let task instances run again; ``asked``: which, and whether only to say which."""
    book.begin(connection)
    run = find_run(book, key)
    selection, dry_run = asked
    # Found before anything changes: what is unknown is refused and harms nobody.
    instances = run.live.to_clear(selection)
    chosen = _refs(run, instances)
    if not dry_run:
        book.touch(run)
        for instance in instances:
            book.draft.note_instance(run, instance)
        follow(book, run, run.live.clear(selection, now), now)
    elif run.is_over:
        book.leave(run)
    return chosen, go_on(book, now)


def set_task_state(
    connection: Connection,
    book: Book,
    key: RunKey,
    asked: tuple[TaskSelection, Literal["success", "failed", "skipped"], bool],
    now: float,
) -> tuple[list[TaskRef], Progress]:
    """Set the states of task instances; ``asked``: which, to what, whether only to say which."""
    book.begin(connection)
    run = find_run(book, key)
    selection, state, dry_run = asked
    chosen = _refs(run, run.live.to_mark(selection))
    if not dry_run:
        book.touch(run)
        follow(book, run, run.live.set_states(selection, state, now), now)
    elif run.is_over:
        book.leave(run)
    return chosen, go_on(book, now)


def _refs(run: HeldRun, instances: list[Instance]) -> list[TaskRef]:
    return [TaskRef(run.key, item.task_id, item.map_index) for item in instances]
