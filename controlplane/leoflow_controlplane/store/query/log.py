"""What tries wrote, a page at a time, and whether more may come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select

from leoflow_controlplane.model import TryKey
from leoflow_controlplane.schema import journal
from leoflow_controlplane.store.query.instance import find_try


class LogPage(NamedTuple):
    """Rows of the journal, the last one's key (the next page begins after it), and whether this
    is the end: the try is over and nothing follows."""

    rows: Sequence[Row[Any]]
    cursor: int
    over: bool


def read_log(connection: Connection, key: TryKey, after: int, most: int) -> LogPage:
    """Read what a try wrote after the row ``after``; NotFound if there is no such try.

    The try is read first: what it wrote before its verdict is there once the verdict is.
    """
    found = find_try(connection, key.run, key.task_id, key.map_index, key.try_number)
    query = (
        select(journal.c.id, journal.c.at, journal.c.text, journal.c.stream)
        .where(journal.c.run_pk == found.run_pk, journal.c.id > after, journal.c.kind == "log")
        .where(
            journal.c.task_id == key.task_id,
            journal.c.map_index == key.map_index,
            journal.c.try_number == key.try_number,
        )
        .order_by(journal.c.id)
        .limit(most)
    )
    rows: Any = connection.execute(query).all()
    over = found.try_state is not None and len(rows) < most
    return LogPage(rows, rows[-1].id if rows else after, over)
