"""Which process leads, and where its peers find it. What leading allows is decided elsewhere."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from leoflow_controlplane.schema import leadership

_ROW = 1


class Leader(NamedTuple):
    """A process that leads since ``since`` (seconds since the epoch), served at ``url``."""

    instance_id: str
    url: str
    since: float


def find_leader(connection: Connection) -> Leader | None:
    """Tell who led last, whether or not it still does; a query."""
    columns = leadership.c.instance_id, leadership.c.url, leadership.c.since
    row = connection.execute(select(*columns)).first()
    return None if row is None else Leader(*row)


def write_leader(connection: Connection, leader: Leader) -> None:
    """Tell peers who leads now; a step."""
    connection.execute(delete(leadership))
    connection.execute(insert(leadership).values(id=_ROW, **leader._asdict()))
