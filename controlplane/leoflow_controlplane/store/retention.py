"""Finds and deletes what is old, a little at a time. Never touches a run that is not over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Connection, text

Kind = Literal["runs", "logs", "xcoms"]


class Mark(NamedTuple):
    """How far a walk over the runs, oldest first, has come."""

    created_at: float
    run_pk: int


START = Mark(0.0, 0)

# What a run must have, beside its age, to be of interest. The latest run of a DAG is kept: the
# next one may depend on it.
_OF_INTEREST = {
    "runs": "EXISTS (SELECT 1 FROM runs later WHERE later.dag_id = runs.dag_id "
    "AND later.logical_at > runs.logical_at)",
    "logs": "EXISTS (SELECT 1 FROM journal WHERE journal.run_pk = runs.id AND kind = 'log')",
    "xcoms": "EXISTS (SELECT 1 FROM xcoms WHERE xcoms.run_pk = runs.id)",
}
_FIND = {
    kind: text(
        "SELECT created_at, id, CASE WHEN finished_at < :before THEN "
        f"{condition} ELSE false END AS wanted FROM runs "
        "WHERE created_at < :before AND (created_at, id) > (:created_at, :run_pk) "
        "ORDER BY created_at, id LIMIT :limit"
    )
    for kind, condition in _OF_INTEREST.items()
}
_SOME_JOURNAL = (
    "DELETE FROM journal WHERE id IN "
    "(SELECT id FROM journal WHERE run_pk = :run_pk {} ORDER BY id LIMIT :limit)"
)
_SOME_XCOMS = text(
    "DELETE FROM xcoms WHERE (run_pk, task_id, map_index, key) IN (SELECT run_pk, task_id, "
    "map_index, key FROM xcoms WHERE run_pk = :run_pk ORDER BY task_id, map_index, key "
    "LIMIT :limit)"
)
_PARTS = {
    "runs": (text(_SOME_JOURNAL.format("")), _SOME_XCOMS),
    "logs": (text(_SOME_JOURNAL.format("AND kind = 'log'")),),
    "xcoms": (_SOME_XCOMS,),
}
_INSTANCES_IF_OVER = text(
    "SELECT (SELECT count(*) FROM task_instances WHERE run_pk = runs.id) "
    "FROM runs WHERE id = :run_pk AND finished_at < :before"
)
_DELETE_RUN = text("DELETE FROM runs WHERE id = :run_pk")
_DELETE_BACKFILLS = text(
    "DELETE FROM backfills WHERE finished_at < :before "
    "AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.backfill_id = backfills.id)"
)


def find_old(
    connection: Connection, kind: Kind, before: float, after: Mark, limit: int
) -> tuple[list[int], Mark | None]:
    """Look at ``limit`` runs after ``after``; a query.

    Gives the keys of those that ended before ``before`` (seconds since the epoch) and have
    something of ``kind`` to delete, and where to go on, None at the end.
    """
    values = {"before": before, "limit": limit, **after._asdict()}
    rows = connection.execute(_FIND[kind], values).all()
    found = [row.id for row in rows if row.wanted]
    return found, Mark(rows[-1].created_at, rows[-1].id) if len(rows) == limit else None


class Old(NamedTuple):
    """What is old: rows of ``kind`` of runs that ended before ``before``.

    ``is_open`` knows the runs that the memory needs: their rows may be behind, or another one waits
    for how they went.
    """

    kind: Kind
    before: float
    is_open: Callable[[int], bool]


def delete_some(connection: Connection, old: Old, run_pks: Sequence[int], limit: int) -> list[int]:
    """Delete what is old of these runs, about ``limit`` rows of it; a step.

    Returns the runs of which something may be left. With kind ``runs`` they go themselves.
    """
    left = limit
    for done, run_pk in enumerate(run_pks):
        left -= _delete_of(connection, old, run_pk, left)
        if left <= 0:
            return list(run_pks[done:])
    return []


def _delete_of(connection: Connection, old: Old, run_pk: int, limit: int) -> int:
    """Delete rows of one run; all that was to be deleted is, if fewer than ``limit`` were."""
    run = {"run_pk": run_pk}
    if old.is_open(run_pk):
        return 0
    instances = connection.execute(_INSTANCES_IF_OVER, {**run, "before": old.before}).scalar()
    if instances is None:
        return 0
    deleted = 0
    for part in _PARTS[old.kind]:
        if deleted < limit:
            deleted += connection.execute(part, {**run, "limit": limit - deleted}).rowcount
    if old.kind == "runs" and deleted < limit:
        # Its task instances, tries and webhooks go with it.
        connection.execute(_DELETE_RUN, run)
        return min(deleted + 2 * int(instances), limit - 1)
    return deleted


def delete_backfills(connection: Connection, before: float) -> int:
    """Delete backfills that ended before ``before`` and have no runs any more; a step."""
    return connection.execute(_DELETE_BACKFILLS, {"before": before}).rowcount
