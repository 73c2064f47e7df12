"""Variables and connections as rows. Steps and a query; the values come and go sealed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from leoflow_controlplane.error import Conflict, NotFound
from leoflow_controlplane.schema import connections, variables
from leoflow_controlplane.secretsource import Kind

TABLES = {"variable": variables, "connection": connections}


class Sealed(NamedTuple):
    """One row."""

    kind: Kind
    name: str
    value: bytes
    description: str | None


def load_sealed(connection: Connection) -> list[Sealed]:
    """Give all of them, by name."""
    found: list[Sealed] = []
    kind: Kind
    for kind in ("variable", "connection"):
        table = TABLES[kind]
        query = select(table.c.name, table.c.value, table.c.description).order_by(table.c.name)
        found += [Sealed(kind, *row) for row in connection.execute(query)]
    return found


def add_sealed(connection: Connection, sealed: Sealed, now: float) -> None:
    """Add one; Conflict if there is one of the name, in whatever case: to a task they are one."""
    names = TABLES[sealed.kind].c.name
    known = connection.scalar(select(names).where(func.upper(names) == sealed.name.upper()))
    if known is not None:
        raise Conflict(
            f"there is a {sealed.kind} '{known}' already. Change it, or delete it first."
        )
    connection.execute(insert(TABLES[sealed.kind]).values(_row(sealed, now)))


def change_sealed(connection: Connection, sealed: Sealed, now: float) -> None:
    """Change one; NotFound if there is none."""
    table = TABLES[sealed.kind]
    change = update(table).where(table.c.name == sealed.name).values(_row(sealed, now))
    if not connection.execute(change).rowcount:
        raise _not_found(sealed.kind, sealed.name)


def remove_sealed(connection: Connection, kind: Kind, name: str) -> None:
    """Remove one; NotFound if there is none."""
    table = TABLES[kind]
    if not connection.execute(delete(table).where(table.c.name == name)).rowcount:
        raise _not_found(kind, name)


def reseal(connection: Connection, change: Callable[[Sealed], bytes | None]) -> int:
    """Replace the value of each row that ``change`` gives another one for; give their number."""
    count = 0
    for row in load_sealed(connection):
        value = change(row)
        if value is not None:
            table = TABLES[row.kind]
            connection.execute(update(table).where(table.c.name == row.name).values(value=value))
            count += 1
    return count


def _row(sealed: Sealed, now: float) -> dict[str, object]:
    return {
        "name": sealed.name,
        "value": sealed.value,
        "description": sealed.description,
        "changed_at": now,
    }


def _not_found(kind: Kind, name: str) -> NotFound:
    return NotFound(f"there is no {kind} '{name}'.")
