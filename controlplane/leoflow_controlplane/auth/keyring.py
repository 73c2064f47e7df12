"""Finds whose a token is, with as few looks into the store as possible."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection

from leoflow_controlplane.auth.token import Principal, hash_token
from leoflow_controlplane.error import DatabaseUnusable, NotLeading
from leoflow_controlplane.rest.office import Reader, Writer
from leoflow_controlplane.store.query.token import find_by_hash
from leoflow_controlplane.store.token import note_uses

# How long a token that another replica removed is still good for here.
MEMORY_SECONDS = 10.0
MAX_REMEMBERED = 1024
# last_used_at is this inexact; a write for each request would cost more than it tells.
USES_SECONDS = 300.0


class _Known(NamedTuple):
    principal: Principal
    expires_at: float | None
    until: float


class Keyring:
    """Knows the tokens of the store; ``clock`` gives seconds since the epoch."""

    def __init__(self, reader: Reader, writer: Writer, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._writer = writer
        self.clock = clock
        self._known: dict[str, _Known] = {}
        self._uses: dict[int, float] = {}
        self._uses_written_at = 0.0

    def remembered(self, token: str) -> Principal | None:
        """Give whose a token is if that was found a moment ago."""
        now = self.clock()
        known = self._known.get(hash_token(token))
        if known is None or now >= known.until:
            return None
        return None if _is_over(known.expires_at, now) else self._used(known.principal, now)

    async def find(self, token: str) -> Principal | None:
        """Give whose a token is; None if it is unknown or has expired."""
        found = self.remembered(token)
        if found is not None:
            return found
        now, token_hash = self.clock(), hash_token(token)
        known = await self._reader.read(_look_up, token_hash, now + MEMORY_SECONDS)
        if known is None or _is_over(known.expires_at, now):
            return None
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[token_hash] = known
        return self._used(known.principal, now)

    def forget(self) -> None:
        """Look each token up again: one of them was removed."""
        self._known.clear()

    async def write_uses(self) -> None:
        """Write down when tokens were used last, if that was not tried a moment ago."""
        if self._uses and self.clock() - self._uses_written_at >= USES_SECONDS:
            await self.close()

    async def close(self) -> None:
        """Write down when tokens were used last. A process that cannot keeps it in mind: it may
        lead later, and nobody's request fails for this."""
        uses, self._uses = self._uses, {}
        self._uses_written_at = self.clock()
        if uses:
            try:
                await self._writer.run(note_uses, uses)
            except (DatabaseUnusable, NotLeading):
                self._uses = {**uses, **self._uses}

    def _used(self, principal: Principal, now: float) -> Principal:
        self._uses[principal.token_id] = now
        return principal


def _look_up(connection: Connection, token_hash: str, until: float) -> _Known | None:
    row = find_by_hash(connection, token_hash)
    # The index found the hash of what was sent, so how long that takes tells nothing of a token.
    if row is None or not hmac.compare_digest(row.token_hash, token_hash):
        return None
    return _Known(Principal(row.id, row.name, row.role), row.expires_at, until)


def _is_over(expires_at: float | None, now: float) -> bool:
    return expires_at is not None and expires_at <= now
