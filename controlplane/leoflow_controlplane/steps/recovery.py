"""Take up what another process, or this one before its database failed, has left under way."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.heldrun import OpenTry
from leoflow_controlplane.book.progress import Progress, Stop
from leoflow_controlplane.model import FINISHED_RUN, RunKey, TryKey
from leoflow_controlplane.repetition import may_repeat
from leoflow_controlplane.steps.progress import dispatch, give_verdict, go_on, let_through
from leoflow_controlplane.verdict import Verdict


class Open(NamedTuple):
    """What is under way as far as the tables know: tries in containers, and unfinished runs."""

    tries: frozenset[TryKey]
    runs: frozenset[RunKey]


def find_open(connection: Connection, book: Book) -> Open:
    """Name what has to be looked for."""
    book.begin(connection)
    return Open(
        frozenset(key for key, held in book.tries.items() if not held.inline),
        frozenset(key for key, run in book.runs.items() if run.facts.state not in FINISHED_RUN),
    )


def recover(
    connection: Connection, book: Book, here: Collection[TryKey], now: float, *, anew: bool = True
) -> tuple[list[TryKey], Progress]:
    """Take up all tries that are open and not ``here``, where they are known to be under way.

    One whose agent was never seen is started again, as the same try; one that is ``here`` and was
    to stop is told so again. ``anew``: another process was in charge until now; otherwise a call
    that is not ``here`` was made by nobody. Returns those that have to be treated as if their
    container had just been found to be gone.
    """
    book.begin(connection)
    # Of messages that a step wrote whose end nobody was told, nobody was told either.
    book.led_to.has_webhooks = True
    gone = []
    for key, held in list(book.tries.items()):
        if key in here:
            if anew and held.terminate is not None and not held.inline and not held.is_gone:
                # Whoever was to pass that on may not have come to it.
                book.led_to.stops.append(Stop(key, book.settings.grace_seconds))
            continue
        book.touch(held.run)
        if held.inline:
            _take_up_call(book, held, now, anew=anew)
        elif held.is_current and not (held.agent_seen or held.is_gone or held.terminate):
            held.deadline_at = now + book.settings.start_allowance_seconds
            book.agenda.note_try(held)
            book.draft.note_try(held)
            dispatch(book, held, now)
        else:
            gone.append(key)
    for run in [run for run in book.runs.values() if run.facts.state == "queued"]:
        let_through(book, run.key.dag_id, run.backfill_id, now)
    return gone, go_on(book, now)


def _take_up_call(book: Book, held: OpenTry, now: float, *, anew: bool) -> None:
    if held.is_current:
        task = held.run.version.tasks[held.key.task_id]
        repetition = may_repeat(task, began=anew and held.instance.state != "queued")
        if repetition.allowed and held.terminate is None:
            dispatch(book, held, now)
            return
    held.instants.setdefault("ended", now)
    held.deadline_at = None
    if held.is_current:
        reason = held.terminate or repetition.reason
        give_verdict(book, held, Verdict("failed", reason), now)
    else:
        book.draft.note_try(held)
        book.end_try(held)
