"""Variables and connections as they are stored: sealed. Nothing here can open them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from leoflow_controlplane.error import NotFound
from leoflow_controlplane.secretsource import Kind
from leoflow_controlplane.store.query.page import Page, like, take_page
from leoflow_controlplane.store.sealed import TABLES, Sealed


class SealedPage(NamedTuple):
    """Variables or connections of a page, and how many there are on all."""

    rows: list[Sealed]
    total: int


def list_secrets(connection: Connection, kind: Kind, pattern: str | None, page: Page) -> SealedPage:
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
    listed = take_page(connection, query, page, orders, table.c.name)
    rows = [Sealed(kind, row.name, row.value, row.description) for row in listed.rows]
    return SealedPage(rows, listed.total)


def find_secret(connection: Connection, kind: Kind, name: str) -> Sealed:
    """Give a variable or a connection; NotFound if there is none."""
    table = TABLES[kind]
    row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"there is no {kind} '{name}'.")
    return Sealed(kind, row.name, row.value, row.description)
