"""The task_ids that are found in the source of a branch."""

from __future__ import annotations

from typing import Any

from leoflow_agent.branchtarget import literals


def of_all_kinds(n: int) -> Any:
    def inner() -> str:
        return "inner"

    if n == 1:
        return "one"
    if n == 2:
        return ["two", f"{n}", inner()]
    return ("three", "four") if n == 3 else None


def test_texts_are_found_alone_in_lists_and_in_both_ways_of_an_if() -> None:
    assert literals(of_all_kinds) == ["one", "two", "three", "four"]


def test_a_function_without_source_names_none() -> None:
    namespace: dict[str, Any] = {}
    exec("def choose(): return 'a'", namespace)
    assert literals(namespace["choose"]) == []
    assert literals(len) == []
