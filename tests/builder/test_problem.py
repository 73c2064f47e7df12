"""Problems as text."""

from __future__ import annotations

import pytest
from leoflow_builder.problem import Problem, ProjectError, count, did_you_mean


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("dag.py", 3, "is odd"), "dag.py:3: is odd"),
        (Problem("dag.py", None, "is odd"), "dag.py: is odd"),
        (Problem("a.yaml", 3, "is odd", 5), "a.yaml:3:5: is odd"),
        (Problem("a.yaml", None, "is odd", 5), "a.yaml: is odd"),
    ],
)
def test_a_problem_says_where_it_is(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_an_error_has_each_problem_once_in_order_of_place() -> None:
    first, second, third = Problem("a", 2, "x"), Problem("a", 10, "x"), Problem("b", None, "x")
    assert ProjectError([third, second, first, second]).problems == [first, second, third]


def test_a_guess_is_made_only_for_what_is_close() -> None:
    assert did_you_mean("retrys", ["retries", "image"]) == " Did you mean 'retries'?"
    assert did_you_mean("zzz", ["retries", "image"]) == ""


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "package", "0 packages"),
        (1, "package", "1 package"),
        (2, "problem", "2 problems"),
        (1, "dependency", "1 dependency"),
        (3, "dependency", "3 dependencies"),
    ],
)
def test_things_are_counted_in_plain_english(number: int, noun: str, text: str) -> None:
    assert count(number, noun) == text
