"""Shows the task instances that a command changed, or would change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from leoflow_controlplane.command import TaskRef
from leoflow_controlplane.rest.instanceshape import InstanceList, InstanceShape, shape_instance
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.store.query.instance import find_instances
from leoflow_controlplane.store.query.summary import Summaries


async def list_cleared(office: Office, refs: Sequence[TaskRef]) -> InstanceList:
    """Show task instances as they are now."""
    shapes = await office.reader.read(_shape, office.summaries, refs)
    return InstanceList(task_instances=shapes, total_entries=len(shapes))


def shape_rows(
    connection: Connection, summaries: Summaries, rows: Sequence[Row[Any]]
) -> list[InstanceShape]:
    """Show rows of task instances."""
    known = summaries.of(connection, rows)
    return [shape_instance(row, known[row.dag_version_id].kinds) for row in rows]


def _shape(
    connection: Connection, summaries: Summaries, refs: Sequence[TaskRef]
) -> list[InstanceShape]:
    return shape_rows(connection, summaries, find_instances(connection, refs))
