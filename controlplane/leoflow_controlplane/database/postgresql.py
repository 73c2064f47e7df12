"""The store on a PostgreSQL server. Needs psycopg, which is installed by the extra 'postgresql'."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from leoflow_controlplane.database.fault import TransactionGone
from leoflow_controlplane.error import DatabaseUnusable, SettingInvalid

READERS = 4
OPENING_LOCK = 0x1E0F_0001
LEADING_LOCK = 0x1E0F_0002
_ABORTED = 3
# A peer that is gone is given up after about 3 + 2 * 2 s, by the client and by the server.
_CONNECT = {
    "connect_timeout": "5",
    "keepalives_idle": "3",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "7000",
    "application_name": "leoflow",
}
_WRITER_OPTIONS = (
    "-c synchronous_commit=on -c tcp_keepalives_idle=3 -c tcp_keepalives_interval=2 "
    "-c tcp_keepalives_count=2 -c tcp_user_timeout=7000 -c client_min_messages=warning"
)
_READER_OPTIONS = (
    "-c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read "
    "-c client_min_messages=warning"
)


class PostgresqlPlace:
    """One database of one server."""

    def __init__(self, url: URL) -> None:
        if find_spec("psycopg") is None:
            raise SettingInvalid(
                "a postgresql:// database needs the driver psycopg, which is not installed. "
                "Install it: pip install 'leoflow[postgresql]'"
            )
        self._url = url.set(drivername="postgresql+psycopg").update_query_dict(_CONNECT)
        self.name = _name(url)
        self.advice = "Check that the server runs, and that the user may log in and write."

    def writing(self) -> Engine:
        """Make the writer's engine."""
        return create_engine(
            self._url,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={"options": _WRITER_OPTIONS},
        )

    def reading(self) -> Engine:
        """Make the readers' engine."""
        return create_engine(
            self._url,
            pool_size=READERS,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"options": _READER_OPTIONS},
        )

    @contextmanager
    def preparing(self, engine: Engine) -> Iterator[Connection]:
        """Hold an advisory lock, which ends with the connection."""
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({OPENING_LOCK})")
            connection.commit()
            yield connection

    def watched(self, _connection: Connection) -> int | None:
        """Give the socket: what arrives on it unasked is the end of the connection."""
        return int(_driver(_connection).fileno())

    def check(self, connection: Connection) -> None:
        """Ask the server."""
        with connection.begin():
            connection.exec_driver_sql("SELECT 1")

    def vouch(self, connection: Connection) -> None:
        """Raise TransactionGone after a failed statement: COMMIT would roll back and not say so."""
        if int(_driver(connection).info.transaction_status) == _ABORTED:
            raise TransactionGone("a step went on after a statement of its own had failed")

    def confirm(self) -> None:
        """Nothing to do: the server has said that it is written."""

    def probe(self, connection: Connection) -> None:
        """Raise DatabaseUnusable if the server takes no writes."""
        with connection.begin():
            answer = connection.exec_driver_sql("SHOW transaction_read_only").scalar_one()
        if answer != "off":
            raise DatabaseUnusable(f"{self.name} is read-only: it is a standby, or was made so.")


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _name(url: URL) -> str:
    """Write the URL without the password, which may be in its query too."""
    return URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database
    ).render_as_string()
