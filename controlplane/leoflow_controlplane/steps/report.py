"""Take in what agents report: each event once, in order, and only from the try that counts."""

from __future__ import annotations

import json
from collections.abc import Callable

from leoflow_agent import exitcode
from leoflow_agent.spec import TaskSpec
from leoflow_agent.wire import Acknowledgement, Event, Inputs, Pulled, Report
from sqlalchemy import Connection

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.draft import JournalEntry
from leoflow_controlplane.book.heldrun import OpenTry
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.book.values import read_inputs, read_texts
from leoflow_controlplane.error import Stale, Unauthorized
from leoflow_controlplane.jsondepth import DEEPEST, is_too_deep
from leoflow_controlplane.jsontext import encode
from leoflow_controlplane.model import NOT_MAPPED, RETURN_VALUE, TryKey
from leoflow_controlplane.steps.progress import follow, give_verdict, go_on
from leoflow_controlplane.store.reading import read_run_pk, read_try
from leoflow_controlplane.verdict import Verdict


def take_report(
    connection: Connection, book: Book, key: TryKey, report: Report, now: float
) -> tuple[Acknowledgement, Progress]:
    """Take in a report, say up to where it is durable, and hand out the successors of a try that
    it ends.

    Events that were taken before are ignored, events after a gap are left out and not
    acknowledged. Raises Unauthorized (unknown try, or bound to another nonce) and Stale (the
    try is over), and then changes nothing.
    """
    book.begin(connection)
    held = book.tries.get(key)
    if held is None:
        return _repeat_closed(connection, book, key, report), book.progress()
    if held.nonce is not None and held.nonce != report["nonce"]:
        raise Unauthorized("the token is in use by another agent")
    fresh = _in_order(report["events"], held.acked_seq)
    if held.verdict is not None:
        _check_repeat(held, report["events"], fresh)
    if fresh or held.nonce is None:
        book.touch(held.run)
        held.nonce = report["nonce"]
        takes = _TAKE if held.verdict is None else _TAKE_LATE
        for event in fresh:
            held.acked_seq = event["seq"]
            takes[event["type"]](book, held, event, now)
            if event["type"] == "finished":
                break
        book.draft.note_try(held)
    return _acknowledge(book, held.acked_seq, held.terminate), go_on(book, now)


def give_inputs(connection: Connection, book: Book, key: TryKey) -> tuple[TaskSpec, Inputs]:
    """Give the task of a try and its inputs without what is secret; errors as `take_report`, and
    Refused if what a mapped one is given has become less since it was handed out."""
    held = _current(connection, book, key)
    task = held.run.version.tasks[key.task_id]
    return task, read_inputs(book, held.run, task, key.map_index)


def give_xcom(
    connection: Connection, book: Book, key: TryKey, wanted: tuple[str, str, int]
) -> Pulled:
    """Give what a task (task_id, key, map_index) of a try's run left; errors as `take_report`."""
    held = _current(connection, book, key)
    task_id, name, map_index = wanted
    tasks = held.run.version.tasks
    if task_id not in tasks:
        found = f"DAG '{key.dag_id}' has no task '{task_id}'. It has: {', '.join(tasks)}."
        return Pulled(value=None, error=found)
    text = read_texts(book, held.run.pk, task_id, name).get(map_index)
    return Pulled(value=None if text is None else json.loads(text), error=None)


def describe_oversize(task_id: str, key: str, size_bytes: int, limit_bytes: int) -> str:
    """Say that a value is too large to keep, and what to do instead."""
    return (
        f"the value '{key}' of task '{task_id}' is {size_bytes} bytes of JSON, more than the limit "
        f"of {limit_bytes}. Write it to storage and return where it is, or raise "
        "LEOFLOW_XCOM_LIMIT_BYTES."
    )


def log_of(
    held: OpenTry, stream: str, text: str, at: float, seq: int | None = None
) -> JournalEntry:
    """Make the line of the journal that keeps a piece of the log of a try."""
    key = held.key
    place = (key.task_id, key.map_index, key.try_number)
    return JournalEntry(held.run.pk, "log", at, text, *place, seq=seq, stream=stream)


def _current(connection: Connection, book: Book, key: TryKey) -> OpenTry:
    book.begin(connection)
    held = book.tries.get(key)
    if held is None or not held.is_current:
        raise _over(key)
    return held


def _over(key: TryKey) -> Stale:
    return Stale(f"try {key.try_number} of task '{key.task_id}' is over")


def _check_repeat(held: OpenTry, events: list[Event], fresh: list[Event]) -> None:
    """Take the last report once more when its acknowledgement was lost, and what an agent that was
    told to stop has to say; nothing else of a try that has its verdict."""
    if held.terminate is not None and not held.reported_verdict:
        return
    if fresh or not events or not held.reported_verdict:
        raise _over(held.key)


def _repeat_closed(
    connection: Connection, book: Book, key: TryKey, report: Report
) -> Acknowledgement:
    """Acknowledge the last report of a try whose container is gone once more; else refuse."""
    run_pk = read_run_pk(connection, key.run)
    row = None
    if run_pk is not None:
        row = read_try(connection, run_pk, key.task_id, key.map_index, key.try_number)
    if row is None:
        raise Unauthorized("unknown token")
    if row.nonce is not None and row.nonce != report["nonce"]:
        raise Unauthorized("the token is in use by another agent")
    events = report["events"]
    if events and row.reported_verdict and all(e["seq"] <= row.acked_seq for e in events):
        return _acknowledge(book, row.acked_seq, row.terminate)
    raise _over(key)


def _in_order(events: list[Event], acked: int) -> list[Event]:
    first = acked + 1
    if [event["seq"] for event in events] == list(range(first, first + len(events))):
        return events
    # Some are not new, or not in order.
    fresh = []
    for event in sorted(events, key=lambda event: event["seq"]):
        if event["seq"] == acked + 1:
            fresh.append(event)
            acked += 1
    return fresh


def _acknowledge(book: Book, ack: int, terminate: str | None) -> Acknowledgement:
    seconds = book.settings.heartbeat_seconds
    return Acknowledgement(ack=ack, terminate=terminate, heartbeat_seconds=seconds)


def _take_started(book: Book, held: OpenTry, event: Event, now: float) -> None:
    key, run = held.key, held.run
    follow(book, run, run.live.run(key.task_id, key.map_index, now), now)
    held.instants["agent_up"] = event.get("agent_up", event["at"])
    # Once it was told to stop, the earlier deadline stays.
    if held.terminate is None:
        timeout, settings = run.version.tasks[key.task_id].execution_timeout_seconds, book.settings
        held.deadline_at = None
        if timeout is not None:
            rest = settings.grace_seconds + settings.removal_allowance_seconds
            held.deadline_at = now + timeout + rest
            book.agenda.note_try(held)


def _take_entered(_book: Book, held: OpenTry, event: Event, _now: float) -> None:
    held.instants["import_started"] = event.get("import_started")
    held.instants["entered"] = event.get("entered", event["at"])


def _take_log(book: Book, held: OpenTry, event: Event, _now: float) -> None:
    stream, text = event.get("stream", "stdout"), event.get("text", "")
    book.draft.note_journal(log_of(held, stream, text, event["at"], event["seq"]))


def _take_xcom(book: Book, held: OpenTry, event: Event, _now: float) -> None:
    key, limit = event.get("key", RETURN_VALUE), book.settings.xcom_limit_bytes
    text = encode(event.get("value"))
    if len(text) > limit:
        held.defect = describe_oversize(held.key.task_id, key, len(text), limit)
    # Nearly all have not even so many brackets.
    elif text.count(b"[") + text.count(b"{") > DEEPEST and is_too_deep(event.get("value")):
        held.defect = (
            f"the value '{key}' of task '{held.key.task_id}' has lists or mappings in one another "
            f"more than {DEEPEST} deep. Return something flatter, or write it to storage."
        )
    else:
        place = (held.run.pk, held.key.task_id, held.key.map_index)
        if held.key.map_index == NOT_MAPPED:
            # Whoever is handed out because of it need not read it from the text.
            book.looked_up[held.run.pk, held.key.task_id, key] = event.get("value")
        # A database need not have all characters.
        kept = text.decode() if text.isascii() else json.dumps(event.get("value"))
        book.draft.note_xcom(*place, key, kept)


def _take_finished(book: Book, held: OpenTry, event: Event, now: float) -> None:
    held.instants["left"] = event.get("left")
    held.exit_code = event.get("exit_code")
    # The container has to go by itself now, or else be removed.
    held.deadline_at = now + book.settings.grace_seconds + book.settings.removal_allowance_seconds
    book.agenda.note_try(held)
    if held.exit_code == exitcode.TERMINATED and held.terminate is None:
        # Not we have told it to stop. Who has, and whose fault that is, its executor knows.
        return
    held.reported_verdict = True
    state, retryable = event.get("state", "failed"), event.get("retryable", True)
    verdict = Verdict(state, event.get("reason"), retryable)
    if held.defect and verdict.state == "success":
        verdict = Verdict("failed", held.defect)
    elif held.terminate and verdict.state == "failed":
        verdict = Verdict("failed", held.terminate)
    give_verdict(book, held, verdict, now)


def _take_late_finish(_book: Book, held: OpenTry, event: Event, _now: float) -> None:
    held.instants["left"] = event.get("left")
    held.exit_code = event.get("exit_code")
    held.reported_verdict = True


def _take_nothing(_book: Book, _held: OpenTry, _event: Event, _now: float) -> None:
    pass


_TAKE: dict[str, Callable[[Book, OpenTry, Event, float], None]] = {
    "started": _take_started,
    "entered": _take_entered,
    "log": _take_log,
    "xcom": _take_xcom,
    "heartbeat": _take_nothing,
    "finished": _take_finished,
}
# Of a try that was told to stop and has its verdict already.
_TAKE_LATE = {
    **dict.fromkeys(_TAKE, _take_nothing),
    "log": _take_log,
    "finished": _take_late_finish,
}
