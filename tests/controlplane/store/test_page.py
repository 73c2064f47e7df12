"""The patterns of lists whose items are in no table, which mean what they mean to a database."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.store.query.page import like, like_matches

SIGNS = st.text("aA%_.\n", max_size=8)


@given(SIGNS.filter(lambda pattern: pattern != "~"), SIGNS)
def test_a_pattern_finds_what_a_database_finds(pattern: str, text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        (found,) = database.execute("SELECT ? LIKE ?", (text, like(pattern))).fetchone()
    assert like_matches(pattern, text) == bool(found)


def test_a_pattern_of_many_parts_is_no_riddle() -> None:
    """As one regular expression it took longer than anybody waits, and all else with it."""
    assert like_matches("%_" * 30, "x" * 30)
    assert not like_matches("%_" * 30 + "!", "daily_sales_of_all_shops_in_the_north")
