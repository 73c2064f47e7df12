"""Variables and connections as they are stored: sealed. Nothing here can open them."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select

from leoflow_controlplane.error import NotFound
from leoflow_controlplane.schema import connections, variables
from leoflow_controlplane.store.query.page import Listed, Page, like, take_page

Kind = Literal["variable", "connection"]
TABLES = {"variable": variables, "connection": connections}


def list_secrets(connection: Connection, kind: Kind, pattern: str | None, page: Page) -> Listed:
    """List variables or connections, by name."""
    table = TABLES[kind]
    query = select(table)
    if pattern is not None and (words := like(pattern)) is not None:
        query = query.where(func.lower(table.c.name).like(words.lower()))
    orders = {
        "key": table.c.name,
        "connection_id": table.c.name,
        "description": table.c.description,
    }
    return take_page(connection, query, page, orders, table.c.name)


def find_secret(connection: Connection, kind: Kind, name: str) -> Row[Any]:
    """Give a variable or a connection; NotFound if there is none."""
    table = TABLES[kind]
    row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"there is no {kind} '{name}'.")
    return row
