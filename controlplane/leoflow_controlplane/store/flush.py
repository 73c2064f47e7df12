"""Write what the book collected, all of it by a handful of statements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, update

from leoflow_controlplane.book.draft import Draft, JournalEntry, StateChanges
from leoflow_controlplane.book.heldrun import HeldRun
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.schema import journal, runs, task_instances, webhooks, xcoms
from leoflow_controlplane.store.bulk import Upsert
from leoflow_controlplane.store.told import write_changes
from leoflow_controlplane.store.tryrow import write_tries

_INSTANCE_KEY = ("run_pk", "task_id", "map_index", "position")
_VALUES = (
    "state",
    "try_number",
    "max_tries",
    "machinery_tries",
    "scheduled_at",
    "started_at",
    "finished_at",
)
_RARE = ("due_at", "reason")
_INSTANCES = Upsert(task_instances, (*_INSTANCE_KEY, *_VALUES, *_RARE), (*_VALUES, *_RARE))
# Nearly all rows are of these two: made with the run, and changed without a reason or a delay. What
# is not handed over is not converted, copied and compared.
_BLANK_INSTANCES = Upsert(
    task_instances,
    (*_INSTANCE_KEY, "max_tries"),
    (*_VALUES, *_RARE),
    {"try_number": "0", "machinery_tries": "0"}
    | dict.fromkeys((*_VALUES[4:], "state", *_RARE), "NULL"),
)
_PLAIN_INSTANCES = Upsert(
    task_instances,
    (*_INSTANCE_KEY, *_VALUES),
    (*_VALUES, *_RARE),
    dict.fromkeys(_RARE, "NULL"),
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
        _write_instances(connection, draft.instances.values())
    if draft.tries:
        write_tries(connection, draft.tries.values())
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


def _write_instances(connection: Connection, changed: Iterable[tuple[HeldRun, Instance]]) -> None:
    blank, plain, others = [], [], []
    for run, instance in changed:
        task_id = instance.task_id
        place = (run.pk, task_id, instance.map_index, run.version.position[task_id])
        if _is_blank(instance):
            blank.append((*place, instance.max_tries))
            continue
        row = (
            *place,
            instance.state,
            instance.try_number,
            instance.max_tries,
            instance.machinery_tries,
            instance.scheduled_at,
            instance.started_at,
            instance.finished_at,
        )
        if instance.due_at is None and instance.reason is None:
            plain.append(row)
        else:
            others.append((*row, instance.due_at, instance.reason))
    if blank:
        _BLANK_INSTANCES.write(connection, blank)
    if plain:
        _PLAIN_INSTANCES.write(connection, plain)
    if others:
        _INSTANCES.write(connection, others)


def _is_blank(instance: Instance) -> bool:
    """Say whether nothing was decided about an instance yet, or it was cleared before its first
    try."""
    return (
        instance.state is None
        and instance.try_number == instance.machinery_tries == 0
        and instance.scheduled_at is None
        and instance.started_at is None
        and instance.finished_at is None
        and instance.due_at is None
        and instance.reason is None
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
