"""The order in which a task is expanded is the one that was written, also after JSON."""

from __future__ import annotations

import pytest
from leoflow_agent.action import DictOf, ListOf, Value, XCom
from leoflow_agent.spec import Expansion
from leoflow_builder.expansion import over_named
from pydantic import TypeAdapter, ValidationError

ADAPTER = TypeAdapter(Expansion)


def test_the_order_of_arguments_comes_back_from_json() -> None:
    expansion = over_named({"b": Value([1]), "a": XCom("up")})
    parsed = ADAPTER.validate_python(
        {"kwargs": {"a": XCom("up"), "b": Value([1])}, "order": ["b", "a"]}
    )
    assert parsed == expansion
    assert list(parsed.kwargs) == ["b", "a"]


def test_a_mapping_is_expanded_into_its_pairs_as_they_are_written() -> None:
    plain = Value({"b": 1, "a": 2})
    mixed = DictOf({"b": XCom("up"), "a": Value(1)})
    found = over_named({"x": plain, "y": mixed}).kwargs
    assert found["x"] == Value([["b", 1], ["a", 2]])
    pairs = (ListOf((Value("b"), XCom("up"))), ListOf((Value("a"), Value(1))))
    assert found["y"] == ListOf(pairs)


def test_an_order_of_other_names_is_refused() -> None:
    with pytest.raises(ValidationError, match="does not name"):
        ADAPTER.validate_python({"kwargs": {"a": Value([1])}, "order": ["b"]})
