"""Variables and connections written down. Steps; the values come sealed."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from leoflow_controlplane.error import Conflict, NotFound
from leoflow_controlplane.store.query.secret import TABLES, Kind


def add_secret(
    connection: Connection,
    kind: Kind,
    name: str,
    sealed: bytes,
    description: str | None,
    now: float,
) -> None:
    """Add a variable or connection; Conflict if there is one of the name."""
    table = TABLES[kind]
    if connection.execute(select(table.c.name).where(table.c.name == name)).first():
        raise Conflict(f"there is a {kind} '{name}' already. Change it, or delete it first.")
    values = {"name": name, "value": sealed, "description": description, "changed_at": now}
    connection.execute(insert(table).values(values))


def change_secret(
    connection: Connection,
    kind: Kind,
    name: str,
    sealed: bytes,
    description: str | None,
    now: float,
) -> None:
    """Change a variable or connection; NotFound if there is none of the name."""
    table = TABLES[kind]
    values = {"value": sealed, "description": description, "changed_at": now}
    changed = connection.execute(update(table).where(table.c.name == name).values(values))
    if not changed.rowcount:
        raise NotFound(f"there is no {kind} '{name}'.")


def remove_secret(connection: Connection, kind: Kind, name: str) -> None:
    """Remove a variable or connection; NotFound if there is none of the name."""
    table = TABLES[kind]
    if not connection.execute(delete(table).where(table.c.name == name)).rowcount:
        raise NotFound(f"there is no {kind} '{name}'.")
