"""Arguments of tasks as JSON: what has none is refused, with the place in the value."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow.registry import Node, Reference
from leoflow_agent import argument

REFERENCE = Reference(Node("python", None, ("dag.py", 1)))
XCOM = {"kind": "xcom", "task_id": "extract", "key": "return_value"}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: (
        st.lists(children)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), children)
    ),
    max_leaves=10,
)


def encode(value: object) -> dict[str, Any]:
    return argument.encode(value, lambda _: "extract")


@given(json_values)
def test_a_json_value_stays_as_it_is(value: Any) -> None:
    assert encode(value) == {"kind": "value", "value": value}
    assert json.loads(json.dumps(encode(value)))["value"] == value


def test_references_are_found_inside_of_lists_tuples_and_dicts() -> None:
    assert encode({"a": (1, [REFERENCE])}) == {
        "kind": "dict",
        "items": {
            "a": {
                "kind": "list",
                "items": [{"kind": "value", "value": 1}, {"kind": "list", "items": [XCOM]}],
            }
        },
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1, 2}, " is of type 'set'; make it a list: sorted(…)"),
        ([1, {"a": b"x"}], "[1]['a'] is of type 'bytes'"),
        ([REFERENCE, [b"x"]], "[1][0] is of type 'bytes'"),
        ({"a": REFERENCE, "b": {1: 2}}, "['b'] has the key 1; keys have to be text"),
        ([float("nan")], "[0] is nan, which JSON does not have"),
        (datetime.date(2026, 1, 1), " is of type 'date'; write it as text: .isoformat()"),
        (datetime.timedelta(1), " is of type 'timedelta'; write it as a number of seconds"),
        ("\ud800", " is not valid Unicode text"),
    ],
)
def test_what_has_no_json_is_refused_with_its_place(value: object, message: str) -> None:
    with pytest.raises(argument.NotJson) as caught:
        encode(value)
    assert str(caught.value).startswith(message)
