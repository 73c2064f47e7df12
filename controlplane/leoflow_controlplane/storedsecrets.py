"""The variables and connections that are kept in the database: changed here, and given to tasks.

What tasks are given comes from memory, since it is asked for while a try is started. Only the
process that leads starts tries and changes rows, so what it has in memory is what is there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from leoflow_controlplane.connectionuri import make_uri, read_connection
from leoflow_controlplane.error import Conflict, Refused
from leoflow_controlplane.secretsource import Kind
from leoflow_controlplane.store.sealed import (
    Sealed,
    add_sealed,
    change_sealed,
    load_sealed,
    remove_sealed,
    reseal,
)
from leoflow_controlplane.vault import SecretUnreadable, Vault

P = ParamSpec("P")
T = TypeVar("T")

# With its name it has to fit into one string of an environment: 128 KiB on Linux.
MAX_VALUE_BYTES = 100 * 1024

logger = logging.getLogger("leoflow.secrets")


class Store(Protocol):
    """A database, as far as it is needed here."""

    async def run(
        self, step: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a step; what it wrote is durable on return."""

    async def read(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a query."""


class StoredSecrets:
    """A SecretSource over the tables, and the commands that change them."""

    def __init__(self, store: Store, vault: Vault, clock: Callable[[], float]) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._values: dict[tuple[Kind, str], str] = {}
        self._unreadable: dict[tuple[Kind, str], str] = {}

    def __repr__(self) -> str:
        return f"<StoredSecrets: {len(self._values)} values>"

    @property
    def trouble(self) -> str | None:
        """That some cannot be decrypted; names none, since anybody may see it."""
        if not self._unreadable:
            return None
        return f"{len(self._unreadable)} stored values cannot be decrypted; the log has their names"

    async def load(self) -> None:
        """Read all values; has to be done before tries are started, and by a new leader.

        What cannot be decrypted is logged by name, and refused to the tasks that declare it.
        """
        rows = await self._store.read(load_sealed)
        self._values.clear()
        self._unreadable.clear()
        for row in rows:
            self._keep(row)
        for reason in self._unreadable.values():
            logger.error("%s", reason)

    def variable(self, name: str) -> str | None:
        """Return the variable ``name``."""
        return self._values.get(("variable", name.upper()))

    def connection(self, name: str) -> str | None:
        """Return the connection ``name`` as a URI."""
        return self._values.get(("connection", name.upper()))

    def why_missing(self, kind: Kind, name: str) -> str:
        """Say that it is not stored, or why it cannot be read."""
        unreadable = self._unreadable.get((kind, name.upper()))
        return unreadable or f"no such {kind} is stored. Set it: leoflow {kind}s set {name}"

    def open(self, row: Sealed) -> str:
        """Decrypt a row for who may see it: a variable's text, a connection's fields as JSON."""
        return self._vault.open(row.kind, row.name, row.value)

    async def add(self, kind: Kind, name: str, text: str, description: str | None) -> None:
        """Add a variable, or a connection (URI or JSON); Conflict if there is one already."""
        sealed = self._seal(kind, name, text, description)
        self._check_keys(kind, name)
        await self._store.run(add_sealed, sealed, self._clock())
        self._keep(sealed)

    async def change(self, kind: Kind, name: str, text: str, description: str | None) -> None:
        """Change a variable or connection; NotFound if there is none."""
        sealed = self._seal(kind, name, text, description)
        self._check_keys(kind, name)
        await self._store.run(change_sealed, sealed, self._clock())
        self._keep(sealed)

    async def remove(self, kind: Kind, name: str) -> None:
        """Remove a variable or connection; NotFound if there is none."""
        await self._store.run(remove_sealed, kind, name)
        self._values.pop((kind, name.upper()), None)
        self._unreadable.pop((kind, name.upper()), None)

    async def rotate(self) -> int:
        """Encrypt everything with the first key that was not; give how many values that were.

        SecretUnreadable if one cannot be decrypted; then nothing is changed.
        """
        return await self._store.run(reseal, self._resealed)

    def _resealed(self, row: Sealed) -> bytes | None:
        text = self._vault.open(row.kind, row.name, row.value)
        if self._vault.is_current(row.value):
            return None
        return self._vault.seal(row.kind, row.name, text)

    def _seal(self, kind: Kind, name: str, text: str, description: str | None) -> Sealed:
        if kind == "connection":
            text = json.dumps(read_connection(text))
        if "\0" in text:
            raise Refused(
                f"the {kind} '{name}' has a NUL character, which no environment can hold."
            )
        if len(text.encode()) > MAX_VALUE_BYTES:
            raise Refused(
                f"the {kind} '{name}' is longer than {MAX_VALUE_BYTES} bytes, and has to fit into "
                "a task's environment. Keep large values in a file or a service of their own."
            )
        return Sealed(kind, name, self._vault.seal(kind, name, text), description)

    def _check_keys(self, kind: Kind, name: str) -> None:
        """Refuse to mix keys that do not know of each other."""
        others = {key: why for key, why in self._unreadable.items() if key != (kind, name.upper())}
        if others:
            raise Conflict(
                f"the {kind} '{name}' is not stored, since others could not read it: "
                + next(iter(others.values()))
            )

    def _keep(self, row: Sealed) -> None:
        key = (row.kind, row.name.upper())
        try:
            text = self.open(row)
        except SecretUnreadable as error:
            self._unreadable[key] = str(error)
            return
        self._unreadable.pop(key, None)
        self._values[key] = text if row.kind == "variable" else make_uri(read_connection(text))
