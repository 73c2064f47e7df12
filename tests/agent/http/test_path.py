"""JSON paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leoflow_agent.http.path import PathMissing, find, parse, write

DOCUMENT = {"data": {"items": [{"state": "done"}, {"state": None}]}, "@odata.nextLink": "n", "n": 1}
STEPS = st.lists(st.text(min_size=1) | st.integers(0, 10**9 - 1), min_size=1)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("n", 1),
        ("data.items[0].state", "done"),
        ("data.items[1].state", None),
        ('["@odata.nextLink"]', "n"),
        ('data["items"][1]', {"state": None}),
        ('["data"].items[0]["state"]', "done"),
    ],
)
def test_a_path_leads_to_a_value(path: str, value: object) -> None:
    assert find(DOCUMENT, path) == value


def test_a_path_may_begin_with_an_index() -> None:
    assert find([[1, 2]], "[0][1]") == 2


@pytest.mark.parametrize(
    ("path", "text", "at_end"),
    [
        ("x", "there is no 'x' in the answer, which is a mapping with 'data', '@odata.nextL", True),
        ("x.y", "there is no 'x' in the answer", False),
        ("data.items[2]", "there is no index 2 in data.items, which is a list of 2 items", True),
        (
            "data.items.state",
            "there is no 'state' in data.items, which is a list of 2 items",
            False,
        ),
        ("data[0]", "in data, which is a mapping with 'items'", False),
        ("n.x", "there is no 'x' in n, which is a number", False),
        ("data.items[0].state.x", "in data.items[0].state, which is text", False),
        ("data.items[1].state.x", "in data.items[1].state, which is null", True),
        ("data.items[1].state.x.y", "in data.items[1].state, which is null", False),
        ('["@odata.nextLink"].x', 'in ["@odata.nextLink"], which is text', False),
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_there(path: str, text: str, at_end: bool) -> None:
    with pytest.raises(PathMissing) as caught:
        find(DOCUMENT, path)
    assert text in str(caught.value)
    assert caught.value.at_end is at_end


@pytest.mark.parametrize(
    ("path", "at"),
    [
        (".a", 1),
        ("a.", 2),
        ("a..b", 2),
        ("a[x]", 2),
        ("a[-1]", 2),
        ("a[0]b", 5),
        ("a.[0]", 2),
        ("a b", 2),
        ('a["b]', 2),
        ('a["\\x"]', 2),
        ("a[*]", 2),
    ],
)
def test_what_is_no_path_is_told_with_its_place(path: str, at: int) -> None:
    with pytest.raises(ValueError, match=f"is not a JSON path at character {at}: write names"):
        parse(path)


def test_an_empty_path_is_none() -> None:
    with pytest.raises(ValueError, match="may not be empty"):
        parse("")


@settings(deadline=None)
@given(STEPS)
def test_every_path_can_be_written(steps: list[Any]) -> None:
    assert parse(write(tuple(steps))) == tuple(steps)


def test_no_value_is_shown_and_long_mappings_are_cut() -> None:
    document = {f"key{number}" + "x" * 100: "geheim" for number in range(50)}
    with pytest.raises(PathMissing) as caught:
        find(document, "x")
    assert "geheim" not in str(caught.value)
    assert len(str(caught.value)) < 600
