"""The tokens of people and programs. Their hashes leave this module for comparison only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from leoflow_controlplane.error import NotFound
from leoflow_controlplane.schema import api_tokens
from leoflow_controlplane.store.query.page import Listed, Page, take_page

_ORDERS = {name: api_tokens.c[name] for name in ("id", "name", "role", "created_at")}
_SHOWN = select(*(column for column in api_tokens.c if column.name != "token_hash"))


def list_tokens(connection: Connection, page: Page) -> Listed:
    """List tokens, without what they are."""
    return take_page(connection, _SHOWN, page, _ORDERS, api_tokens.c.id)


def find_token(connection: Connection, token_id: int) -> Row[Any]:
    """Give a token, without what it is; NotFound if there is none."""
    row = connection.execute(_SHOWN.where(api_tokens.c.id == token_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no token {token_id}.")
    return row


def find_by_hash(connection: Connection, token_hash: str) -> Row[Any] | None:
    """Give the token with a hash, if there is one."""
    query = select(api_tokens).where(api_tokens.c.token_hash == token_hash)
    return connection.execute(query).one_or_none()
