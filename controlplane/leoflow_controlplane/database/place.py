"""What SQLite and PostgreSQL have to offer alike, and which of them a URL names."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError

from leoflow_controlplane.error import SettingInvalid

FORMS = "sqlite:///relative/path, sqlite:////absolute/path or postgresql://user@host/name"


class Place(Protocol):
    """Where the rows are. ``name`` and ``advice`` are for people and hold no password."""

    @property
    def name(self) -> str:
        """How people know it."""
        ...

    @property
    def advice(self) -> str:
        """What to look at when it cannot be used."""
        ...

    def writing(self) -> Engine:
        """Make the engine of the one writer; it connects only to a database that is there."""
        ...

    def reading(self) -> Engine:
        """Make an engine whose transactions see one instant and can write nothing."""
        ...

    def preparing(self, engine: Engine) -> AbstractContextManager[Connection]:
        """Connect to make or change tables, which one process at a time may do."""
        ...

    @property
    def pulse_seconds(self) -> float | None:
        """How long a connection may be idle before it is checked; None: as long as it likes."""
        ...

    def watched(self, connection: Connection) -> int | None:
        """Give the file descriptor that becomes readable when an idle connection breaks, if any."""
        ...

    def check(self, connection: Connection) -> None:
        """Raise what is wrong with an idle connection."""
        ...

    def vouch(self, connection: Connection) -> None:
        """Raise unless the transaction is as its steps believe, just before it is committed."""
        ...

    def confirm(self) -> None:
        """Raise unless what was just committed is where others will look for it."""
        ...

    def probe(self, connection: Connection) -> None:
        """Raise unless something can be written; what is there stays as it is."""
        ...

    @property
    def leads_by_connection(self) -> bool:
        """Whether a process that lost its connection does not lead any more."""
        ...

    def wait_to_lead(self, connection: Connection) -> None:
        """Return once no other process leads; Conflict if there is no waiting for that."""
        ...

    def interrupt(self, connection: Connection) -> None:
        """End a wait of `wait_to_lead`, and all use of the connection; from any thread."""
        ...

    def stop_leading(self) -> None:
        """Let another process lead, once the connection is closed."""
        ...


def find_place(url: str | Path) -> Place:
    """Take a path for SQLite or a URL; SettingInvalid if it is neither, or has no driver."""
    from leoflow_controlplane.database.sqlite import SqlitePlace

    if isinstance(url, Path):
        return SqlitePlace(url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text is not repeated: it may hold a password.
        raise SettingInvalid(f"what was given is no URL of a database. Write {FORMS}.") from None
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return SqlitePlace(Path(str(parsed.database)))
    if parsed.drivername in ("postgresql", "postgres"):
        from leoflow_controlplane.database.postgresql import PostgresqlPlace

        return PostgresqlPlace(parsed)
    raise SettingInvalid(
        f"'{parsed.drivername}' names no database that leoflow uses. Write {FORMS}."
    )
