"""What the clock demands: retries start, runs and tries that take too long are ended."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.heldrun import HeldRun, OpenTry
from leoflow_controlplane.book.progress import Progress, Stop
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.steps.progress import ask_to_stop, follow, give_verdict, go_on
from leoflow_controlplane.verdict import NOT_ENDED, judge_told

# An agent that is not heard of is told of so much of the allowance too late, at most.
LOOKS_AT_A_POD = 8


def come_due(
    connection: Connection, book: Book, launching: Collection[TryKey], now: float, advice: str = ""
) -> Progress:
    """Do all that is due, and hand out what may start because of it.

    ``launching`` are tries whose executor is at work on them: until their agents are heard, it has
    limits of its own. ``advice`` is what to look at when an agent is not heard of although its
    executor is done.
    """
    book.begin(connection)
    for due in book.agenda.take_due(now):
        book.touch(due if isinstance(due, HeldRun) else due.run)
        if isinstance(due, HeldRun):
            follow(book, due, due.live.come_due(now), now)
        elif due.key in launching and due.terminate is None and not due.agent_seen:
            allowance = book.settings.start_allowance_seconds
            # A Pod is among them until it has run for the whole allowance.
            due.deadline_at = now + (allowance / LOOKS_AT_A_POD if advice else allowance)
            book.agenda.note_try(due)
        else:
            _enforce(book, due, now, advice)
    for companion in book.companions:
        at = companion.next_due()
        if at is not None and at <= now:
            companion.come_due(connection, book, now)
    return go_on(book, now)


def _enforce(book: Book, held: OpenTry, now: float, advice: str) -> None:
    """Stop a try whose deadline has passed; one that was told to stop is given up."""
    book.draft.note_try(held)
    if held.is_current and held.terminate is None:
        ask_to_stop(book, held, _overdue_reason(book, held, advice), now)
        return
    held.instants.setdefault("ended", now)
    book.led_to.stops.append(Stop(held.key, 0))
    if held.is_current:
        verdict = judge_told(held.terminate or "", "its container could not be stopped")
        give_verdict(book, held, verdict, now)
    else:
        book.end_try(held)


def _overdue_reason(book: Book, held: OpenTry, advice: str) -> str:
    if held.exit_code is not None:
        return NOT_ENDED
    if not held.agent_seen:
        allowance = book.settings.start_allowance_seconds
        if advice:
            return f"its agent did not report within {allowance:g} s. {advice}"
        return f"the container did not report within {allowance:g} s of its dispatch"
    timeout = held.run.version.tasks[held.key.task_id].execution_timeout_seconds or 0.0
    return (
        f"timed out: it ran longer than execution_timeout_seconds = {timeout:g}, and its "
        "agent did not end it"
    )
