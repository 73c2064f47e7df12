"""Webhooks as rows: which are due, and what became of one. A query and a step."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update

from leoflow_controlplane.model import RunKey
from leoflow_controlplane.schema import runs, webhooks


class Message(NamedTuple):
    """Something that a URL has to be told. ``attempts``: how often it was tried in vain."""

    id: int
    run: RunKey
    url: str | None
    connection: str | None
    body: str
    attempts: int


class Due(NamedTuple):
    """Messages that are due, and when the next one is, if any is left."""

    messages: list[Message]
    next_at: float | None


_QUERY = (
    select(
        webhooks.c.id,
        runs.c.dag_id,
        runs.c.run_id,
        webhooks.c.url,
        webhooks.c.connection,
        webhooks.c.body,
        webhooks.c.attempts,
        webhooks.c.due_at,
    )
    .join(runs, webhooks.c.run_pk == runs.c.id)
    .order_by(webhooks.c.due_at, webhooks.c.id)
)


def load_due_webhooks(connection: Connection, now: float, most: int, taken: Collection[int]) -> Due:
    """Give up to ``most`` messages that are due and not among ``taken``, the oldest first."""
    query = _QUERY.where(webhooks.c.id.not_in(taken)).limit(most + 1)
    messages: list[Message] = []
    for id, dag_id, run_id, url, name, body, attempts, due_at in connection.execute(query):
        if due_at > now or len(messages) == most:
            return Due(messages, due_at)
        messages.append(Message(id, RunKey(dag_id, run_id), url, name, body, attempts))
    return Due(messages, None)


def finish_webhook(connection: Connection, id: int, attempts: int, due_at: float | None) -> None:
    """Note that a message was tried, and is again at ``due_at``; None: it is done with."""
    if due_at is None:
        connection.execute(delete(webhooks).where(webhooks.c.id == id))
        return
    values = {"attempts": attempts, "due_at": due_at}
    connection.execute(update(webhooks).where(webhooks.c.id == id).values(values))
