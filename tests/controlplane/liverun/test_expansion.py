"""What an instance of a mapped task is given."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.action import Argument, Value, XCom
from leoflow_agent.spec import Expansion
from leoflow_controlplane.liverun.expansion import Unmappable, expanded_arguments, indices_of

VALUES = {"a": [1, 2], "b": {"k": "v", "l": "w"}, "c": [{"x": 1}, {"x": 2, "y": 3}], "d": "text"}


def resolve(argument: Argument) -> Any:
    return argument.value if isinstance(argument, Value) else VALUES[argument.task_id]  # type: ignore[union-attr]


def test_the_last_argument_varies_fastest() -> None:
    expansion = Expansion({"x": XCom("a"), "y": Value(["p", "q", "r"])})
    given_to = [expanded_arguments(expansion, index, resolve) for index in range(6)]
    assert [(item["x"], item["y"]) for item in given_to] == [
        (1, "p"),
        (1, "q"),
        (1, "r"),
        (2, "p"),
        (2, "q"),
        (2, "r"),
    ]


def test_of_a_mapping_each_item_is_a_pair() -> None:
    assert expanded_arguments(Expansion({"x": XCom("b")}), 1, resolve) == {"x": ["l", "w"]}


def test_of_a_list_of_mappings_each_is_one_instance() -> None:
    assert expanded_arguments(Expansion(listed=XCom("c")), 1, resolve) == {"x": 2, "y": 3}


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_every_combination_comes_once_and_in_order(sizes: list[int]) -> None:
    lengths = {str(number): size for number, size in enumerate(sizes)}
    total = 1
    for size in sizes:
        total *= size
    found = [tuple(indices_of(lengths, index).values()) for index in range(total)]
    assert found == sorted(set(found))
    assert len(found) == total


@pytest.mark.parametrize(
    ("expansion", "index", "says"),
    [
        (Expansion({"x": XCom("d")}), 0, "what task 'd' returned, which is of type 'str'"),
        (Expansion({"x": Value(None)}), 0, "a value in the DAG, which is of type 'null'"),
        (Expansion(listed=XCom("b")), 0, "it has to be a list of mappings"),
        (Expansion(listed=XCom("a")), 1, "item 1 is of type 'int'"),
        (Expansion({"x": XCom("a")}), 2, "there is no instance 2: the values of 'x'"),
        (Expansion(listed=XCom("c")), 5, "clear the whole task"),
    ],
)
def test_what_cannot_be_given_is_said(expansion: Expansion, index: int, says: str) -> None:
    with pytest.raises(Unmappable, match=says):
        expanded_arguments(expansion, index, resolve)
