"""What is said of user code that failed."""

from __future__ import annotations

import sys

import pytest
from leoflow_agent.failure import describe


def _raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_an_error_is_its_type_and_the_first_line_of_its_message():
    assert describe(_raised(ValueError("one\ntwo"))).startswith("ValueError: one")
    assert "two" not in describe(_raised(ValueError("one\ntwo")))


def test_an_error_without_a_message_is_its_type():
    assert describe(KeyError()) == "KeyError"


def test_the_line_is_the_innermost_of_the_project(monkeypatch, tmp_path):
    source = tmp_path / "steps.py"
    source.write_text("import json\n\n\ndef task():\n    json.loads('{')\n")
    monkeypatch.setenv("LEOFLOW_DAG_FOLDER", str(tmp_path))
    namespace: dict = {}
    exec(compile(source.read_text(), str(source), "exec"), namespace)
    with pytest.raises(ValueError, match="Expecting") as caught:
        namespace["task"]()
    assert describe(caught.value).endswith("(steps.py:5)")


def test_a_message_that_cannot_be_shown_is_no_second_failure():
    class Broken(Exception):
        def __str__(self):
            raise KeyError("gone")

    assert describe(Broken()) == "Broken: its message cannot be shown: KeyError"


def test_an_endless_message_is_cut_and_says_so():
    text = describe(ValueError("x" * 10**6))
    assert len(text) < 3000
    assert text.endswith("…")


def test_a_neighbour_of_the_project_is_not_the_project(monkeypatch, tmp_path):
    source = tmp_path / "project-2" / "steps.py"
    monkeypatch.setenv("LEOFLOW_DAG_FOLDER", str(tmp_path / "project"))
    namespace: dict = {}
    exec(compile("def task():\n    1 / 0\n", str(source), "exec"), namespace)
    with pytest.raises(ZeroDivisionError) as caught:
        namespace["task"]()
    assert describe(caught.value) == "ZeroDivisionError: division by zero"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there are no groups")
def test_a_group_names_its_first_part():
    group = ExceptionGroup("several", [ValueError("one"), KeyError("two")])
    assert describe(group) == "ExceptionGroup: several (2 sub-exceptions): ValueError: one"
