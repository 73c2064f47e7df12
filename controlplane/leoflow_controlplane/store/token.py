"""Tokens of people and programs, written down as hashes. Steps."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from leoflow_controlplane.error import Conflict, NotFound
from leoflow_controlplane.schema import api_tokens


def add_token(
    connection: Connection,
    name: str,
    role: str,
    token_hash: str,
    now: float,
    expires_at: float | None,
) -> int:
    """Add a token and give its id; Conflict if its name is taken."""
    if connection.execute(select(api_tokens.c.id).where(api_tokens.c.name == name)).first():
        raise Conflict(f"there is a token '{name}' already. Choose another name, or delete it.")
    values = {
        "name": name,
        "role": role,
        "token_hash": token_hash,
        "created_at": now,
        "expires_at": expires_at,
    }
    inserted = connection.execute(insert(api_tokens).values(values)).inserted_primary_key
    assert inserted is not None
    return int(inserted[0])


def remove_token(connection: Connection, token_id: int, now: float) -> None:
    """Remove a token; NotFound if there is none, Conflict if it is the last admin's."""
    row = connection.execute(select(api_tokens).where(api_tokens.c.id == token_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no token {token_id}.")
    others = select(func.count()).where(
        api_tokens.c.role == "admin",
        api_tokens.c.id != token_id,
        or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > now),
    )
    if row.role == "admin" and not connection.execute(others).scalar_one():
        raise Conflict(f"'{row.name}' is the last token of an admin. Make another one first.")
    connection.execute(delete(api_tokens).where(api_tokens.c.id == token_id))


def replace_token(
    connection: Connection, name: str, role: str, token_hash: str, now: float
) -> None:
    """Add a token in place of the one with its name, if there is one."""
    connection.execute(delete(api_tokens).where(api_tokens.c.name == name))
    add_token(connection, name, role, token_hash, now, None)


def keep_token(connection: Connection, name: str, role: str, token_hash: str, now: float) -> None:
    """Have a token by its name be this one: what is there already stays as it is."""
    known = select(api_tokens.c.id).where(
        api_tokens.c.name == name,
        api_tokens.c.role == role,
        api_tokens.c.token_hash == token_hash,
        api_tokens.c.expires_at.is_(None),
    )
    if connection.execute(known).first() is None:
        replace_token(connection, name, role, token_hash, now)


def has_tokens(connection: Connection) -> bool:
    """Say whether there is any token at all."""
    return connection.execute(select(api_tokens.c.id).limit(1)).first() is not None


def note_uses(connection: Connection, uses: Mapping[int, float]) -> None:
    """Write down when tokens were used last."""
    statement = (
        update(api_tokens)
        .where(api_tokens.c.id == bindparam("token"))
        .values(last_used_at=bindparam("at"))
    )
    if uses:
        connection.execute(statement, [{"token": key, "at": at} for key, at in uses.items()])
