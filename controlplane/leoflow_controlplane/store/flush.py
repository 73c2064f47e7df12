"""Write what the book collected, all of it by a handful of statements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, update

from leoflow_controlplane.book.draft import Draft, JournalEntry, StateChanges
from leoflow_controlplane.book.heldrun import HeldRun, OpenTry
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.model import PHASES, Phase
from leoflow_controlplane.schema import journal, runs, task_instances, tries, webhooks, xcoms
from leoflow_controlplane.store.bulk import Upsert
from leoflow_controlplane.store.told import write_changes

_INSTANCE_VALUES = (
    "state",
    "try_number",
    "max_tries",
    "machinery_tries",
    "due_at",
    "scheduled_at",
    "started_at",
    "finished_at",
    "reason",
)
_INSTANCES = Upsert(
    task_instances,
    ("run_pk", "task_id", "map_index", "position", *_INSTANCE_VALUES),
    _INSTANCE_VALUES,
)
_STANDING = (
    *("nonce", "acked_seq", "state", "reason", "reported_verdict", "terminate", "defect"),
    *("deadline_at", "exit_code", "oom_killed"),
)
_TRY_VALUES = (*_STANDING, *(f"{phase}_at" for phase in PHASES))
_TRIES = Upsert(
    tries,
    ("run_pk", "task_id", "map_index", "try_number", "inline", "artifacts", *_TRY_VALUES),
    _TRY_VALUES,
)
# By far the most writes of a try are these two: its row when it is handed out, and again while its
# container is there. Not to touch ``ended_at`` spares the database the index over it.
_FRESH_TRIES = Upsert(
    tries,
    (
        *("run_pk", "task_id", "map_index", "try_number", "inline", "artifacts"),
        *("acked_seq", "reported_verdict", "oom_killed"),
        *("deadline_at", "scheduled_at", "dispatched_at"),
    ),
)
_OPEN_PHASES: tuple[Phase, ...] = ("agent_up", "import_started", "entered", "left", "reported")
_OPEN_VALUES = (*_STANDING, *(f"{phase}_at" for phase in _OPEN_PHASES))
_OPEN_TRIES = Upsert(
    tries, ("run_pk", "task_id", "map_index", "try_number", "inline", *_OPEN_VALUES), _OPEN_VALUES
)
_XCOMS = Upsert(xcoms, ("run_pk", "task_id", "map_index", "key", "value"), ("value",))
_JOURNAL = Upsert(journal, JournalEntry._fields)
_WEBHOOKS = insert(webhooks)
_UPDATE_RUN = (
    update(runs)
    .where(runs.c.id == bindparam("run_pk"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("state", "reason", "cancelled", "started_at", "finished_at")
        }
    )
)
_PLACE: dict[str, Any] = {
    name: bindparam(f"at_{name}") for name in ("run_pk", "task_id", "map_index")
}
_FORGET_XCOMS = delete(xcoms).where(*(xcoms.c[name] == value for name, value in _PLACE.items()))
_REMOVE_INSTANCE = delete(task_instances).where(
    *(task_instances.c[name] == value for name, value in _PLACE.items())
)


def write_draft(connection: Connection, draft: Draft) -> None:
    """Write everything that ``draft`` holds."""
    if draft.removed_instances:
        connection.execute(_REMOVE_INSTANCE, _places(draft.removed_instances))
    if draft.instances:
        _INSTANCES.write(connection, [_instance_row(*pair) for pair in draft.instances.values()])
    if draft.tries:
        _write_tries(connection, draft.tries.values())
    if draft.forgotten_xcoms:
        places = [(*at, n) for at, some in draft.forgotten_xcoms.items() for n in some]
        connection.execute(_FORGET_XCOMS, _places(places))
    if draft.xcoms:
        _XCOMS.write(
            connection,
            [
                (*at, *place, text)
                for at, texts in draft.xcoms.items()
                for place, text in texts.items()
            ],
        )
    if draft.journal:
        _JOURNAL.write(connection, [_journal_row(entry) for entry in draft.journal])
    if draft.runs:
        connection.execute(_UPDATE_RUN, [_run_row(run) for run in draft.runs.values()])
    if draft.webhooks:
        connection.execute(_WEBHOOKS, draft.webhooks)


def _places(places: Iterable[tuple[int, str, int]]) -> list[dict[str, Any]]:
    names = ("at_run_pk", "at_task_id", "at_map_index")
    return [dict(zip(names, place, strict=True)) for place in places]


def _instance_row(run: HeldRun, instance: Instance) -> tuple[Any, ...]:
    return (
        run.pk,
        instance.task_id,
        instance.map_index,
        run.version.position[instance.task_id],
        instance.state,
        instance.try_number,
        instance.max_tries,
        instance.machinery_tries,
        instance.due_at,
        instance.scheduled_at,
        instance.started_at,
        instance.finished_at,
        instance.reason,
    )


def _write_tries(connection: Connection, changed: Iterable[OpenTry]) -> None:
    fresh, still_open, others = [], [], []
    for held in changed:
        if held.instants.get("ended") is not None:
            others.append(_try_row(held))
        elif held.is_written:
            still_open.append(_open_row(held))
        elif held.nonce is None and held.verdict is None and held.terminate is None:
            fresh.append(_fresh_row(held))
        else:
            others.append(_try_row(held))
        # Should this not become durable, the memory is dropped.
        held.is_written = True
    if fresh:
        _FRESH_TRIES.write(connection, fresh)
    if still_open:
        _OPEN_TRIES.write(connection, still_open)
    if others:
        _TRIES.write(connection, others)


def _fresh_row(held: OpenTry) -> tuple[Any, ...]:
    instants = held.instants
    return (
        held.run.pk,
        *held.key[2:],
        held.inline,
        held.artifacts,
        0,
        False,
        False,
        held.deadline_at,
        instants.get("scheduled"),
        instants.get("dispatched"),
    )


def _open_row(held: OpenTry) -> tuple[Any, ...]:
    place = (held.run.pk, *held.key[2:], held.inline)
    return (*place, *_standing(held), *map(held.instants.get, _OPEN_PHASES))


def _try_row(held: OpenTry) -> tuple[Any, ...]:
    place = (held.run.pk, *held.key[2:], held.inline, held.artifacts)
    return (*place, *_standing(held), *map(held.instants.get, PHASES))


def _standing(held: OpenTry) -> tuple[Any, ...]:
    verdict = held.verdict
    return (
        held.nonce,
        held.acked_seq,
        None if verdict is None else verdict.state,
        None if verdict is None else verdict.reason,
        held.reported_verdict,
        held.terminate,
        held.defect,
        held.deadline_at,
        held.exit_code,
        held.oom_killed,
    )


def _journal_row(entry: JournalEntry | StateChanges) -> tuple[Any, ...]:
    if isinstance(entry, JournalEntry):
        return entry
    at, text = entry.changes[0][0], write_changes(entry.changes)
    return JournalEntry(entry.run_pk, "states", at, text)


def _run_row(run: HeldRun) -> dict[str, Any]:
    return {
        "run_pk": run.pk,
        "new_state": run.facts.state,
        "new_reason": run.facts.reason,
        "new_cancelled": run.facts.cancelled,
        "new_started_at": run.facts.started_at,
        "new_finished_at": run.facts.finished_at,
    }
