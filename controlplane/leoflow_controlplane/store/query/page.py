"""One page of a list, in the order that was asked for. Knows no table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from leoflow_controlplane.error import Refused


@dataclass(frozen=True)
class Page:
    """Which part of a list: ``order`` are names of columns, with "-" in front: descending."""

    limit: int = 50
    offset: int = 0
    order: tuple[str, ...] = ()


class Listed(NamedTuple):
    """The rows of a page, and how many there are on all pages together."""

    rows: Sequence[Row[Any]]
    total: int


def take_page(
    connection: Connection,
    statement: Select[Any],
    page: Page,
    columns: Mapping[str, ColumnElement[Any]],
    *ties: ColumnElement[Any],
) -> Listed:
    """Read a page of ``statement``; Refused names an order that ``columns`` does not have.

    ``ties`` come last in each order, so that no row is on two pages, in the direction of what is
    before them. Rows without a value come last in both directions.
    """
    backwards = bool(page.order) and page.order[-1].startswith("-")
    last = [tie.desc() for tie in ties] if backwards else ties
    order = [*order_terms(page.order, columns), *last]
    total = connection.execute(
        select(func.count()).select_from(statement.order_by(None).subquery())
    ).scalar_one()
    rows = connection.execute(statement.order_by(*order).limit(page.limit).offset(page.offset))
    return Listed(rows.all(), total)


def order_terms(
    order: tuple[str, ...], columns: Mapping[str, ColumnElement[Any]]
) -> Iterator[ColumnElement[Any]]:
    """Give the terms of ORDER BY for names of columns."""
    for word in order:
        column = columns[order_key(word, columns)]
        yield (column.desc() if word.startswith("-") else column.asc()).nulls_last()


def order_key(word: str, known: Mapping[str, object]) -> str:
    """Give the name in an order; Refused if it is not a known one."""
    name = word.removeprefix("-")
    if name not in known:
        names = ", ".join(sorted(known))
        raise Refused(f"order_by is '{word}', which this list cannot be ordered by. Use: {names}.")
    return name


def like(pattern: str) -> str | None:
    """Give the SQL pattern of Airflow's ``…_pattern`` filters: it may be anywhere, % and _ stand
    for others; "~" is all, None."""
    return None if pattern == "~" else f"%{pattern}%"


def like_matches(pattern: str, text: str) -> bool:
    """Say whether a ``…_pattern`` filter finds ``text``, for what is not in a table."""
    words = like(pattern)
    if words is None:
        return True
    place = 0
    # One part after the other: as one expression they would be tried in all ways to share the text
    # out, which takes minutes for ten of them, and the interpreter is not let go of meanwhile.
    for part in words.split("%"):
        signs = "".join("." if sign == "_" else re.escape(sign) for sign in part)
        found = re.compile(signs, re.IGNORECASE | re.DOTALL).search(text, place)
        if found is None:
            return False
        place = found.end()
    return True
