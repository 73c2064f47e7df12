"""Inline calls: those that may begin, and what came of those that have begun, many in one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.heldrun import OpenTry
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.model import RETURN_VALUE, TryKey
from leoflow_controlplane.steps.ending import close_open, end_open
from leoflow_controlplane.steps.progress import follow, go_on, start_try
from leoflow_controlplane.steps.report import log_of
from leoflow_controlplane.verdict import Verdict


class Told(NamedTuple):
    """What came of a call by ``at``: lines of its log, the verdict if it is over, and its result as
    JSON text."""

    key: TryKey
    at: float
    lines: Sequence[str]
    verdict: Verdict | None = None
    value: str | None = None


def move_calls(
    connection: Connection, book: Book, told: Sequence[Told], most: int, now: float
) -> Progress:
    """Take in what came of calls, and begin as many as there are places for, ``most`` at a time.

    Those have begun for whoever reads the tables: they must not be made before this is durable.
    """
    book.begin(connection)
    for one in told:
        held = book.tries.get(one.key)
        if held is not None:
            book.touch(held.run)
            _take_in(book, held, one, now)
    _begin_calls(book, most, now)
    return go_on(book, now)


def _take_in(book: Book, held: OpenTry, told: Told, now: float) -> None:
    for line in told.lines:
        text = line.replace("\0", "\ufffd") + "\n"
        book.draft.note_journal(log_of(held, "stdout", text, told.at))
    verdict = told.verdict
    if verdict is None:
        return
    held.instants["left"] = told.at
    if not held.is_current:
        close_open(book, held, now)
        return
    if held.terminate is not None and verdict.state == "failed":
        verdict = Verdict("failed", held.terminate, retryable=False)
    if told.value is not None and verdict.state == "success":
        key = held.key
        place = (held.run.pk, key.task_id, key.map_index)
        book.draft.note_xcom(*place, RETURN_VALUE, told.value)
    end_open(book, held, verdict, now)


def _begin_calls(book: Book, most: int, now: float) -> None:
    line, limit = book.places.lines[True], book.settings.max_inline_calls
    for _ in range(most):
        waiting = line.next() if book.places.under_way[True] < limit else None
        if waiting is None:
            return
        held = start_try(book, waiting.run, waiting.instance, now)
        if held.is_current:
            key = held.key
            follow(book, held.run, held.run.live.run(key.task_id, key.map_index, now), now)
