"""Write many rows by few statements, on SQLite and PostgreSQL alike.

Each statement carries many rows: the interpreter is let go of and taken back once for each
statement, and taking it back from a busy thread is what costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Table

from leoflow_controlplane.database.driver import execute, placeholder_of

# A statement has a place for each value: SQLite has room for 32766, PostgreSQL for 65535.
MOST_VALUES = 16_000
# So many rows, which is what a busy group has, or fewer go by one statement; more by powers of two.
FEW = 32


class Upsert:
    """Inserts rows of a table, or sets ``changed`` columns of those that are there already.

    Without ``changed`` a row that is there is an error. ``constants`` are further columns and what
    they are in all rows, as SQL: no value has to be handed over for these.
    """

    def __init__(
        self,
        table: Table,
        columns: Sequence[str],
        changed: Sequence[str] = (),
        constants: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._table = table
        self._columns = tuple(columns)
        self._changed = tuple(changed)
        self._constants = dict(constants)

    def write(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Write ``rows``, each with a value for each column, in this order."""
        placeholder = placeholder_of(connection)
        start = 0
        for size in _sizes(len(rows), MOST_VALUES // len(self._columns)):
            values = tuple(chain.from_iterable(rows[start : start + size]))
            execute(connection, self._statement(size, placeholder), values)
            start += size

    @lru_cache(maxsize=512)  # noqa: B019 (there are few, made when they are imported)
    def _statement(self, size: int, placeholder: str) -> str:
        row = f"({', '.join([*[placeholder] * len(self._columns), *self._constants.values()])})"
        text = (
            f"INSERT INTO {self._table.name} "
            f"({', '.join(map(_quoted, [*self._columns, *self._constants]))}) "
            f"VALUES {', '.join([row] * size)}"
        )
        if self._changed:
            key = ", ".join(_quoted(column.name) for column in self._table.primary_key)
            sets = ", ".join(
                f"{_quoted(name)} = excluded.{_quoted(name)}" for name in self._changed
            )
            text += f" ON CONFLICT ({key}) DO UPDATE SET {sets}"
        return text


def _sizes(count: int, most: int) -> list[int]:
    """Cut ``count`` rows so that few statements are made, and few different ones."""
    sizes = []
    size = 1 << (min(count, most).bit_length() - 1) if count else 0
    while count > FEW:
        while size > count:
            size >>= 1
        sizes.append(size)
        count -= size
    return [*sizes, count] if count else sizes


def _quoted(name: str) -> str:
    return f'"{name}"'
