"""YAML with positions, and without YAML's surprises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.yamlfile import parse_yaml


def parse(text: str) -> Any:
    file, problems = parse_yaml(text, "x.yaml")
    assert problems == []
    return file.value


def test_values_have_the_types_that_yaml_gives_them() -> None:
    text = "a: [1, 2.5, true, null, text, '5', 2026-01-02]\nb: {c: ~}\n"
    assert parse(text) == {"a": [1, 2.5, True, None, "text", "5", "2026-01-02"], "b": {"c": None}}


def test_an_empty_file_has_no_value() -> None:
    assert parse("# nothing\n") is None


def test_positions_point_at_keys_and_items() -> None:
    file, _ = parse_yaml("a:\n  b: 1\n  c:\n    - x\n    - y\n", "x.yaml")
    assert file.position(("a", "b")) == (2, 3)
    assert file.position(("a", "c", 1)) == (5, 7)


def test_a_path_that_is_not_written_has_the_position_of_what_is_around_it() -> None:
    file, _ = parse_yaml("a:\n  b: 1\n", "x.yaml")
    assert file.position(("a", "z", "y")) == (1, 1)
    assert file.position(("a", "b", 3)) == (2, 3)


def test_scalars_keep_their_text() -> None:
    file, _ = parse_yaml("a: 1.10\n", "x.yaml")
    assert (file.value, file.texts[("a",)]) == ({"a": 1.1}, "1.10")


def test_an_anchor_can_be_used_again() -> None:
    assert parse("a: &x {c: 1}\nb: *x\n") == {"a": {"c": 1}, "b": {"c": 1}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: the key 'a' is written twice, first in line 1: remove"),
        ("a:\n  - {b: 1, b: 2}\n", "x.yaml:2:12: the key 'b' is written twice"),
        ("on: 1\n", 'x.yaml:1:1: the key on is not text to YAML: quote it: "on"'),
        ("404: 1\n", 'x.yaml:1:1: the key 404 is not text to YAML: quote it: "404"'),
        ("a: 010\n", "x.yaml:1:4: YAML reads 010 as the number 8: quote it"),
        ("a: 1:30\n", "x.yaml:1:4: YAML reads 1:30 as the number 90: quote it"),
        ("a: .nan\n", "x.yaml:1:4: .nan is not a number in JSON"),
        ("a: !!python/name:os.system x\n", "x.yaml:1:4: the YAML tag 'tag:yaml.org,2002:python"),
        ("a: !mine {}\n", "x.yaml:1:4: the YAML tag '!mine' is not supported"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "x.yaml:2:5: '<<' is not supported"),
        ("a: &x [*x]\n", "x.yaml:1:4: an alias stands inside of its own anchor"),
        ("a: [1\n", "x.yaml:1:4: not valid YAML: while parsing a flow sequence"),
        ("a: 1\n---\nb: 1\n", "x.yaml:2:1: not valid YAML: expected a single document"),
        ("a: \x00\n", "x.yaml:1: not valid YAML: unacceptable character #x0000"),
        ("\ta: 1\n", "x.yaml:1:1: not valid YAML: while scanning"),
    ],
)
def test_what_yaml_would_change_in_silence_is_a_problem(text: str, problem: str) -> None:
    _, problems = parse_yaml(text, "x.yaml")
    assert [str(found)[: len(problem)] for found in problems] == [problem]


def test_all_problems_are_found_in_one_go() -> None:
    assert len(parse_yaml("a: 010\na: 1\nyes: 2\n", "x.yaml")[1]) == 3


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("ab: -#'\"{}\\é", max_size=6),
        lambda items: (
            st.lists(items, max_size=3)
            | st.dictionaries(st.text("abc", min_size=1), items, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_json_is_yaml(value: Any) -> None:
    assert parse(json.dumps(value)) == value
