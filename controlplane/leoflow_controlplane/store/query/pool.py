"""How many tries have a place, and how many wait for one."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, and_, func, or_, select

from leoflow_controlplane.model import SERVER
from leoflow_controlplane.schema import runs, task_instances, tries


class Occupancy(NamedTuple):
    """Task instances by state. Calls that the control plane makes itself take no place."""

    running: int
    queued: int
    scheduled: int


def count_occupancy(connection: Connection) -> Occupancy:
    """Count the task instances of unfinished runs; what is over costs nothing here."""
    query = (
        select(task_instances.c.state, func.count())
        .select_from(
            task_instances.join(runs, runs.c.id == task_instances.c.run_pk).outerjoin(
                tries,
                and_(
                    tries.c.run_pk == task_instances.c.run_pk,
                    tries.c.task_id == task_instances.c.task_id,
                    tries.c.map_index == task_instances.c.map_index,
                    tries.c.try_number == task_instances.c.try_number,
                ),
            )
        )
        .where(runs.c.instance_id == SERVER, runs.c.finished_at.is_(None))
        .where(task_instances.c.state.in_(("running", "queued", "scheduled")))
        .where(
            or_(
                task_instances.c.state == "scheduled",
                tries.c.inline.is_(False),
                tries.c.inline.is_(None),
            )
        )
        .group_by(task_instances.c.state)
    )
    counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    return Occupancy(counts.get("running", 0), counts.get("queued", 0), counts.get("scheduled", 0))
