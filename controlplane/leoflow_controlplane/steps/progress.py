"""Carry runs forward: note what changed, let runs through, hand out the tries that may start."""

from __future__ import annotations

from collections.abc import Iterable

from leoflow_controlplane.book.book import Book, Progress, Stop
from leoflow_controlplane.book.dagversion import is_inline
from leoflow_controlplane.book.draft import JournalEntry
from leoflow_controlplane.book.heldrun import HeldRun, OpenTry
from leoflow_controlplane.book.values import read_inputs
from leoflow_controlplane.book.webhook import tell_run_end, tell_task_end
from leoflow_controlplane.error import Refused
from leoflow_controlplane.liverun.change import Added, Change, Dropped, Moved
from leoflow_controlplane.liverun.instance import OPEN, Instance
from leoflow_controlplane.model import FINISHED, FINISHED_RUN, FinalState
from leoflow_controlplane.verdict import Verdict
from leoflow_controlplane.workload import Dispatch, RunContext


def go_on(book: Book, now: float) -> Progress:
    """End a step: hand out what may start now, and give what has to be done."""
    _hand_out(book, now)
    for run in book.touched.values():
        if run.facts.state not in FINISHED_RUN:
            book.agenda.note_run(run)
    return book.progress()


def follow(book: Book, run: HeldRun, changes: Iterable[Change], now: float) -> None:
    """Note what changed in a run, and what follows from it for others."""
    ended: set[str] = set()
    for change in changes:
        if isinstance(change, Moved):
            _follow_move(book, run, change, now)
            if change.state in FINISHED:
                ended.add(change.instance.task_id)
        elif isinstance(change, Added):
            book.draft.note_instance(run, change.instance)
        elif isinstance(change, Dropped):
            book.draft.note_removed(run, change.instance)
        else:
            _follow_run(book, run, now)
    if ended and run.version.looks_back:
        _wake_followers(book, run, ended, now)


def let_through(book: Book, dag_id: str, backfill_id: int | None, now: float) -> None:
    """Start the runs of a DAG that wait, as far as its limit goes."""
    gate = book.gate(dag_id, backfill_id)
    while (run := gate.next()) is not None:
        book.touch(run)
        follow(book, run, run.live.start(now), now)


def give_verdict(book: Book, held: OpenTry, verdict: Verdict, now: float) -> None:
    """End a try, which has to be current, and bring its task where that leaves it."""
    book.touch(held.run)
    key, live = held.key, held.run.live
    held.verdict = verdict = live.weigh(key.task_id, key.map_index, verdict)
    held.instants["reported"] = now
    book.draft.note_try(held)
    book.free_place(held)
    if held.is_gone:
        book.end_try(held)
    follow(book, held.run, live.end(key.task_id, key.map_index, verdict, now), now)
    if verdict.machinery and held.instance.state == "up_for_retry":
        book.losses.append(verdict.loss)


def ask_to_stop(book: Book, held: OpenTry, reason: str, now: float) -> None:
    """Have a try stop that was not told to before."""
    if held.is_gone or held.terminate is not None:
        return
    book.touch(held.run)
    settings = book.settings
    held.terminate = reason
    held.deadline_at = now + settings.grace_seconds + settings.removal_allowance_seconds
    book.agenda.note_try(held)
    book.draft.note_try(held)
    book.stops.append(Stop(held.key, settings.grace_seconds))


def find_try(run: HeldRun, instance: Instance) -> OpenTry | None:
    """Give the latest try of a task instance, if it is open."""
    return run.tries.get(run.try_key(instance, instance.try_number))


def _follow_move(book: Book, run: HeldRun, move: Moved, now: float) -> None:
    instance = move.instance
    book.draft.note_instance(run, instance)
    place = (instance.task_id, instance.map_index, instance.try_number)
    state = move.state or "none"
    book.draft.note_journal(JournalEntry(run.pk, "state", now, state, *place, reason=move.reason))
    task = run.version.tasks[instance.task_id]
    if move.state == "scheduled":
        book.lines[is_inline(task)].join(run, instance)
    if move.old_state in OPEN and move.state not in ("queued", "running"):
        _leave_try(book, run, move, now)
    if move.state in FINISHED and move.state is not None:
        book.task_ends.append(move.state)
    if move.state in ("success", "failed"):
        tell_task_end(book, run, instance, now)


def _leave_try(book: Book, run: HeldRun, move: Moved, now: float) -> None:
    """Stop the try of a task that went on without it."""
    held = find_try(run, move.instance)
    if held is None or not held.is_current:
        return
    reason = move.reason or f"the task was set to '{move.state}'"
    ask_to_stop(book, held, reason, now)
    if move.state != "restarting":
        final: FinalState = "failed"
        if move.state in ("success", "skipped"):
            final = move.state
        held.verdict = Verdict(final, reason)
        book.draft.note_try(held)
        book.free_place(held)
        if held.is_gone:
            book.end_try(held)


def _follow_run(book: Book, run: HeldRun, now: float) -> None:
    facts = run.facts
    gate = book.gate(run.key.dag_id, run.backfill_id)
    book.draft.note_run(run)
    book.draft.note_journal(JournalEntry(run.pk, "state", now, facts.state, reason=facts.reason))
    if facts.state == "running":
        gate.running.add(run.pk)
        return
    gate.leave(run)
    if facts.state == "queued":
        gate.join(run)
    else:
        book.run_ends.append((run.key, facts.state))
        tell_run_end(book, run, now)
        for companion in book.companions:
            companion.run_ended(book.connection, book, run, now)
    let_through(book, run.key.dag_id, run.backfill_id, now)


def _wake_followers(book: Book, run: HeldRun, ended: set[str], now: float) -> None:
    wanted = set(ended)
    for task_id in ended:
        wanted.update(run.version.tasks[task_id].upstream_task_ids)
    for follower in book.followers(run):
        known = [task_id for task_id in wanted if task_id in follower.version.tasks]
        book.touch(follower)
        follow(book, follower, follower.live.wake(now, known), now)


def _hand_out(book: Book, now: float) -> None:
    settings = book.settings
    for inline, limit in ((False, settings.max_parallel_tasks), (True, settings.max_inline_calls)):
        line = book.lines[inline]
        while book.under_way[inline] < limit:
            waiting = line.next()
            if waiting is None:
                break
            _start_try(book, waiting.run, waiting.instance, now)


def _start_try(book: Book, run: HeldRun, instance: Instance, now: float) -> None:
    book.touch(run)
    scheduled_at = instance.scheduled_at
    book.lags.append(0.0 if scheduled_at is None else max(0.0, now - scheduled_at))
    follow(book, run, run.live.hand_out(instance.task_id, instance.map_index, now), now)
    task = run.version.tasks[instance.task_id]
    key, inline = run.try_key(instance, instance.try_number), is_inline(task)
    if key.try_number > 1:
        # Nobody downstream is to read what an earlier try left as this one's.
        book.draft.forget_xcoms(run.pk, key.task_id, key.map_index)
    held = OpenTry(key, run, instance, inline)
    if task.artifacts and not inline:
        held.artifacts = book.policy.artifacts_folder(key)
    if not inline:
        held.deadline_at = now + book.settings.start_allowance_seconds
    held.instants = {"scheduled": scheduled_at, "dispatched": now}
    book.begin_try(held)
    book.draft.note_try(held)
    dispatch(book, held, now)


def dispatch(book: Book, held: OpenTry, now: float) -> None:
    """Have a try started; one whose inputs make no sense fails instead."""
    run, key = held.run, held.key
    task = run.version.tasks[key.task_id]
    try:
        inputs = read_inputs(book, run, task, key.map_index)
    except Refused as error:
        held.instants["ended"] = now
        held.deadline_at = None
        give_verdict(book, held, Verdict("failed", str(error), retryable=False), now)
        return
    book.dispatches.append(
        Dispatch(
            key=key,
            dag=run.version.spec,
            task=task,
            image=run.version.image,
            run=RunContext(
                logical_date=run.logical_date,
                data_interval_start=run.data_interval_start,
                data_interval_end=run.data_interval_end,
                params=run.params,
                conf=run.conf,
                traceparent=run.traceparent,
            ),
            inputs=inputs,
            token="" if held.inline else book.policy.issue_token(key, now),
            inline=held.inline,
            artifacts=held.artifacts,
            max_tries=held.instance.max_tries + 1,
            image_digest=run.version.image_digest,
        )
    )
