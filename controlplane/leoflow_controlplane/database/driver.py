"""Statements in the driver's own words, without what SQLAlchemy does around each: that takes longer
than SQLite does. For those that come with every report; knows none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

_PLACEHOLDER = {"qmark": "?", "format": "%s", "pyformat": "%s"}


def placeholder_of(connection: Connection) -> str:
    """Give what stands for a value in a statement."""
    return _PLACEHOLDER[connection.dialect.paramstyle]


def execute(connection: Connection, statement: str, values: Sequence[Any]) -> None:
    """Carry out a statement that gives no rows. It fails as it would by SQLAlchemy.

    Nobody is told that something was written: a step has to count that as a change itself.
    """
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, statement, error, cursor) from error
    finally:
        cursor.close()


def fetch(connection: Connection, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Carry out a statement and give its rows; as `execute`."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, statement, error, cursor) from error
    finally:
        cursor.close()


def _told(connection: Connection, statement: str, error: Any, cursor: Any) -> BaseException:
    dialect = connection.dialect
    driver: Any = connection.connection.driver_connection
    told: BaseException = DBAPIError.instance(
        statement,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=dialect.is_disconnect(error, driver, cursor),
        dialect=dialect,
    )
    return told
