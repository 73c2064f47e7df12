"""The ends that no report tells of: containers gone, launches that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.heldrun import OpenTry
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.book.values import read_texts
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.steps.progress import give_verdict, go_on
from leoflow_controlplane.steps.report import log_of
from leoflow_controlplane.verdict import Exit, Verdict, explain_failure, judge_exit, judge_told


class End(NamedTuple):
    """A try whose container is gone: how it ended, and the instants that are known of it."""

    key: TryKey
    exit: Exit
    instants: Mapping[str, float]


def close_tries(
    connection: Connection, book: Book, ends: Iterable[End], now: float
) -> tuple[frozenset[TryKey], Progress]:
    """Note that the containers of tries are gone; name those that still lack a verdict."""
    book.begin(connection)
    lacking = set()
    for end in ends:
        held = book.tries.get(end.key)
        if held is not None:
            _close(book, held, end, now)
            if held.is_current:
                lacking.add(end.key)
    return frozenset(lacking), go_on(book, now)


def _close(book: Book, held: OpenTry, end: End, now: float) -> None:
    _, exit, instants = end
    book.touch(held.run)
    held.instants |= instants
    held.instants.setdefault("ended", now)
    held.deadline_at = None
    held.oom_killed = exit.oom_killed
    _explain(book, held, exit)
    book.draft.note_try(held)
    if not held.is_current:
        book.end_try(held)


def settle(
    connection: Connection,
    book: Book,
    key: TryKey,
    end: tuple[Exit, str | None, bytes | None],
    now: float,
) -> Progress:
    """Give the verdict on a try that ended without a report, if none came after all.

    ``end`` is how it ended, the tail of its output, which is kept when nothing else is, and the
    verdict that its agent left.
    """
    book.begin(connection)
    held = book.tries.get(key)
    if held is None or not held.is_current:
        return book.progress()
    exit, tail, left = end
    book.touch(held.run)
    if tail and held.acked_seq == 0:
        book.draft.note_journal(log_of(held, "stderr", tail.replace("\0", "\ufffd"), now))
    task = held.run.version.tasks[key.task_id]
    verdict = judge_exit(exit, task, result_missing=_result_missing(book, held), left=left)
    if held.terminate and verdict.state == "failed":
        verdict = judge_told(held.terminate)
    end_open(book, held, verdict, now)
    return go_on(book, now)


def fail_launch(
    connection: Connection, book: Book, key: TryKey, failure: tuple[str, bool], now: float
) -> Progress:
    """Fail a try that could not be started; ``failure``: why, and whether it may work later.

    What may work later is the machinery's to try again, the rest is nobody's.
    """
    book.begin(connection)
    held = book.tries.get(key)
    if held is None:
        return book.progress()
    if not held.is_current:
        close_open(book, held, now)
        return go_on(book, now)
    reason, transient = failure
    if held.terminate or not transient:
        verdict = Verdict("failed", held.terminate or reason, retryable=False)
    else:
        verdict = Verdict("failed", reason, machinery=True, loss="launch")
    end_open(book, held, verdict, now)
    return go_on(book, now)


def log_try(connection: Connection, book: Book, key: TryKey, text: str, now: float) -> Progress:
    """Keep a line of what is done for a try, such as the pull of its image."""
    book.begin(connection)
    held = book.tries.get(key)
    if held is not None:
        book.touch(held.run)
        book.draft.note_journal(log_of(held, "stdout", text.replace("\0", "\ufffd"), now))
    return book.progress()


def end_open(book: Book, held: OpenTry, verdict: Verdict, now: float) -> None:
    """Give the verdict on a try of which nothing is left."""
    held.instants.setdefault("ended", now)
    held.deadline_at = None
    give_verdict(book, held, verdict, now)


def close_open(book: Book, held: OpenTry, now: float) -> None:
    """Note that nothing is left of a try that has its verdict."""
    book.touch(held.run)
    held.instants.setdefault("ended", now)
    held.deadline_at = None
    book.draft.note_try(held)
    book.end_try(held)


def _explain(book: Book, held: OpenTry, exit: Exit) -> None:
    """Give a failure that was reported a better reason, when the engine knows one."""
    known = held.exit_code
    if held.verdict is None or held.verdict.state != "failed":
        held.exit_code = exit.code
        return
    held.exit_code = known if known is not None else exit.code
    task = held.run.version.tasks[held.key.task_id]
    reason = explain_failure(held.verdict.reason, exit._replace(code=held.exit_code), task)
    if reason == held.verdict.reason:
        return
    held.verdict = held.verdict._replace(reason=reason)
    if held.instance.try_number == held.key.try_number:
        held.instance.reason = reason
        book.draft.note_instance(held.run, held.instance)


def _result_missing(book: Book, held: OpenTry) -> bool:
    """Say whether a value that others read never arrived."""
    task_id, map_index = held.key.task_id, held.key.map_index
    return any(
        map_index not in read_texts(book, held.run.pk, task_id, key)
        for key in held.run.version.read_keys.get(task_id, ())
    )
