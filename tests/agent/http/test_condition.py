"""The conditions that a poll waits for."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from leoflow_agent.http.condition import describe, holds
from leoflow_agent.http.path import PathMissing
from leoflow_agent.wire import HttpCondition


def condition(**fields: Any) -> HttpCondition:
    none = {"status": None, "path": None, "one_of": None, "none_of": None}
    return {**none, **fields}  # type: ignore[typeddict-item]


def unread() -> NoReturn:
    raise AssertionError("the answer was read")


@pytest.mark.parametrize(
    ("wanted", "status", "document", "result"),
    [
        ({"path": "s", "one_of": ["done"]}, 200, {"s": "done"}, True),
        ({"path": "s", "one_of": ["done", "failed"]}, 200, {"s": "failed"}, True),
        ({"path": "s", "one_of": ["done"]}, 200, {"s": "Done"}, False),
        ({"path": "s", "none_of": ["queued", "running"]}, 200, {"s": "done"}, True),
        ({"path": "s", "none_of": ["queued", "running"]}, 200, {"s": "queued"}, False),
        ({"path": "s", "one_of": [None]}, 200, {"s": None}, True),
        ({"path": "s", "none_of": [None]}, 200, {"s": None}, False),
        ({"path": "s", "one_of": [1]}, 200, {"s": True}, False),
        ({"path": "s", "one_of": [True]}, 200, {"s": 1}, False),
        ({"path": "s", "one_of": [True]}, 200, {"s": True}, True),
        ({"path": "s", "one_of": [1]}, 200, {"s": 1.0}, True),
        ({"path": "s", "one_of": ["1"]}, 200, {"s": 1}, False),
        ({"path": "s", "one_of": [0]}, 200, {"s": []}, False),
        ({"status": [200], "path": "s", "one_of": ["a"]}, 200, {"s": "a"}, True),
        ({"status": [200], "path": "s", "one_of": ["a"]}, 200, {"s": "b"}, False),
        ({"status": [200, 201]}, 201, None, True),
    ],
)
def test_when_a_condition_holds(
    wanted: dict[str, Any], status: int, document: object, result: bool
) -> None:
    assert holds(condition(**wanted), status, lambda: document) is result


def test_an_answer_is_not_read_for_its_status_alone() -> None:
    assert holds(condition(status=[200]), 200, unread)
    assert not holds(condition(status=[200], path="s", one_of=["a"]), 202, unread)
    assert describe(condition(status=[200]), 200, unread) == ""
    assert describe(condition(status=[200], path="s", one_of=["a"]), 202, unread) == ""


def test_what_is_not_there_is_no_other_value() -> None:
    with pytest.raises(PathMissing):
        holds(condition(path="s", none_of=["a"]), 200, dict)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "s is 'a'"),
        (None, "s is null"),
        (True, "s is true"),
        (0, "s is 0"),
        (1, "s is 1"),
        (1.5, "s is 1.5"),
        (["geheim"], "s is a list of 1 items"),
        ({"a": "geheim"}, "s is a mapping with 'a'"),
        ("x" * 70, "s is '" + "x" * 60 + "'…"),
    ],
)
def test_what_was_seen_is_said(value: object, text: str) -> None:
    assert describe(condition(path="s", one_of=["a"]), 200, lambda: {"s": value}) == text
