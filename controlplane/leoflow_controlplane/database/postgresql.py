"""The store on a PostgreSQL server. Needs psycopg, which is installed by the extra 'postgresql'."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
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
_SETTINGS = {
    "client_min_messages": "warning",
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "7000",
    "client_connection_check_interval": "2000",
}
_WRITER = {
    **_SETTINGS,
    "synchronous_commit": "on",
    # Ends the session, and with it the leadership, of a process that is stopped: its kernel
    # goes on answering for it.
    "idle_session_timeout": "6000",
    "idle_in_transaction_session_timeout": "6000",
}
_READER = {
    **_SETTINGS,
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "repeatable read",
}
_OLDEST_SERVER = 140000
_MOST_PREPARED = 512
# While a session waits, it holds up the removal of dead rows, so it does not wait for long at
# a time. An error that is caught here is none in the server's log.
_WAIT = f"""
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '30s', true);
    PERFORM pg_advisory_lock({LEADING_LOCK});
    PERFORM set_config('leoflow.leads', 'yes', false);
EXCEPTION WHEN lock_not_available THEN
    NULL;
END $$
"""


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
        self.pulse_seconds: float | None = 2.0
        self.leads_by_connection = True
        self.advice = "Check that the server runs, and that the user may log in and write."

    def writing(self) -> Engine:
        """Make the writer's engine."""
        engine = create_engine(self._url, poolclass=NullPool, hide_parameters=True)
        event.listen(engine, "connect", self._preparer(_WRITER))
        return engine

    def reading(self) -> Engine:
        """Make the readers' engine."""
        engine = create_engine(self._url, pool_size=READERS, max_overflow=0, hide_parameters=True)
        event.listen(engine, "connect", self._preparer(_READER))
        return engine

    @contextmanager
    def preparing(self, engine: Engine) -> Iterator[Connection]:
        """Hold an advisory lock, which ends with the connection."""
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({OPENING_LOCK})")
            connection.commit()
            yield connection

    def watched(self, connection: Connection) -> int | None:
        """Give the socket: what arrives on it unasked is the end of the connection."""
        return int(_driver(connection).fileno())

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

    def wait_to_lead(self, connection: Connection) -> None:
        """Wait in the server for a lock that ends with the connection."""
        leads = None
        while leads != "yes":
            with connection.begin():
                connection.exec_driver_sql(_WAIT)
                leads = connection.exec_driver_sql(
                    "SELECT current_setting('leoflow.leads', true)"
                ).scalar()

    def interrupt(self, connection: Connection) -> None:
        """Shut the socket down: whoever waits for an answer on it learns that none will come."""
        with suppress(OSError), socket.socket(fileno=os.dup(_driver(connection).fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def stop_leading(self) -> None:
        """Nothing to do: the lock went with the connection."""

    def _preparer(self, settings: dict[str, str]) -> Any:
        changes = ", ".join(f"set_config('{name}', '{settings[name]}', false)" for name in settings)

        def prepare(connection: Any, _record: Any) -> None:
            version = connection.info.server_version
            if version < _OLDEST_SERVER:
                raise DatabaseUnusable(
                    f"{self.name} is PostgreSQL {version // 10000}; leoflow needs 14 or newer."
                )
            # Statements for groups of all sizes stay prepared.
            connection.prepared_max = _MOST_PREPARED
            connection.execute(f"SELECT {changes}")
            connection.commit()

        return prepare


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _name(url: URL) -> str:
    """Write the URL without the password, which may be in its query too."""
    return URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database
    ).render_as_string()
