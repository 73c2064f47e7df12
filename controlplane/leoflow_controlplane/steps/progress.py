"""Carry runs forward: note what changed, let runs through, hand out the tries that may start."""

from __future__ import annotations

from collections.abc import Iterable

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.heldrun import HeldRun, OpenTry
from leoflow_controlplane.book.progress import Progress, Stop
from leoflow_controlplane.book.values import read_inputs
from leoflow_controlplane.book.webhook import tell_run_end, tell_task_end
from leoflow_controlplane.error import Refused
from leoflow_controlplane.liverun.change import Added, Change, Dropped, Moved
from leoflow_controlplane.liverun.instance import OPEN, Instance
from leoflow_controlplane.model import FINISHED, FINISHED_RUN, NOT_MAPPED, FinalState
from leoflow_controlplane.verdict import Verdict
from leoflow_controlplane.workload import Dispatch


def go_on(book: Book, now: float) -> Progress:
    """End a step: hand out what may start now, and give what has to be done."""
    _hand_out(book, now)
    note_run = book.agenda.note_run
    for run in book.touched.values():
        if run.facts.state not in FINISHED_RUN:
            note_run(run)
    return book.progress()


def follow(book: Book, run: HeldRun, changes: Iterable[Change], now: float) -> None:
    """Note what changed in a run, and what follows from it for others."""
    ended: set[str] = set()
    looks_back = run.version.looks_back
    for change in changes:
        if isinstance(change, Moved):
            _follow_move(book, run, change, now)
            if looks_back and change.state in FINISHED:
                ended.add(change.instance.task_id)
        elif isinstance(change, Added):
            book.draft.note_instance(run, change.instance)
        elif isinstance(change, Dropped):
            book.draft.note_removed(run, change.instance)
        else:
            _follow_run(book, run, now)
    if ended:
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
    held.verdict = verdict = live.ends.weigh(held.instance, verdict)
    held.instants["reported"] = now
    book.draft.note_try(held)
    book.places.free(held)
    if held.is_gone:
        book.end_try(held)
    follow(book, held.run, live.end(key.task_id, key.map_index, verdict, now), now)
    if verdict.machinery and held.instance.state == "up_for_retry":
        book.led_to.losses.append(verdict.loss)


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
    book.led_to.stops.append(Stop(held.key, settings.grace_seconds))


def _follow_move(book: Book, run: HeldRun, move: Moved, now: float) -> None:
    instance, old_state, state, reason = move
    draft, task_id = book.draft, instance.task_id
    draft.note_instance(run, instance)
    place = (task_id, instance.map_index, instance.try_number)
    draft.note_change(run.pk, (now, state or "none", *place, reason))
    if state == "scheduled":
        book.places.lines[task_id in run.version.inline].join(run, instance)
    elif old_state in OPEN and state not in ("queued", "running"):
        _leave_try(book, run, move, now)
    if state in FINISHED and state is not None:
        book.led_to.task_ends.append(state)
        if state in ("success", "failed"):
            tell_task_end(book, run, instance, now)


def _leave_try(book: Book, run: HeldRun, move: Moved, now: float) -> None:
    """Stop the try of a task that went on without it."""
    held = run.find_try(move.instance)
    if held is None or held.verdict is not None:
        return
    is_cleared = move.state == "restarting"
    told = "the task was cleared" if is_cleared else f"the task was set to '{move.state}'"
    reason = move.reason or told
    ask_to_stop(book, held, reason, now)
    if not is_cleared:
        final: FinalState = "failed"
        if move.state in ("success", "skipped"):
            final = move.state
        held.verdict = Verdict(final, reason)
        book.draft.note_try(held)
        book.places.free(held)
        if held.is_gone:
            book.end_try(held)


def _follow_run(book: Book, run: HeldRun, now: float) -> None:
    facts = run.facts
    gate = book.gate(run.key.dag_id, run.backfill_id)
    book.draft.note_run(run)
    book.draft.note_change(run.pk, (now, facts.state, None, NOT_MAPPED, 0, facts.reason))
    if facts.state == "running":
        gate.running.add(run.pk)
        return
    gate.leave(run)
    if facts.state == "queued":
        gate.join(run)
    else:
        book.led_to.run_ends.append((run.key, facts.state))
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
    """Hand out tries in containers; those of calls are `calling.move_calls`'s."""
    line, limit = book.places.lines[False], book.settings.max_parallel_tasks
    while line.open and book.places.under_way[False] < limit:
        waiting = line.next()
        if waiting is None:
            break
        start_try(book, waiting.run, waiting.instance, now)


def start_try(book: Book, run: HeldRun, instance: Instance, now: float) -> OpenTry:
    """Make the next try of an instance that waited for a place, and hand it out."""
    book.touch(run)
    version, task_id, scheduled_at = run.version, instance.task_id, instance.scheduled_at
    book.led_to.lags.append(0.0 if scheduled_at is None else max(0.0, now - scheduled_at))
    follow(book, run, run.live.hand_out(task_id, instance.map_index, now), now)
    key, inline = run.try_key(instance, instance.try_number), task_id in version.inline
    if key.try_number > 1:
        # Nobody downstream is to read what an earlier try left as this one's.
        book.draft.forget_xcoms(run.pk, key.task_id, key.map_index)
    held = OpenTry(key, run, instance, inline)
    if version.tasks[task_id].artifacts and not inline:
        held.artifacts = book.policy.artifacts_folder(key)
    if not inline:
        held.deadline_at = now + book.settings.start_allowance_seconds
    held.instants = {"scheduled": scheduled_at, "dispatched": now}
    book.begin_try(held)
    book.draft.note_try(held)
    dispatch(book, held, now)
    return held


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
    book.led_to.dispatches.append(
        Dispatch(
            key=key,
            dag=run.version.spec,
            task=task,
            image=run.version.image,
            run=run.context,
            inputs=inputs,
            token="" if held.inline else book.policy.issue_token(key, now),
            inline=held.inline,
            artifacts=held.artifacts,
            max_tries=held.instance.max_tries + 1,
            image_digest=run.version.image_digest,
            run_leaves_artifacts=run.version.leaves_artifacts,
        )
    )
