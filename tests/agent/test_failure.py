"""What is said of user code that failed."""

from __future__ import annotations

import pytest
from leoflow_agent.failure import describe, first_not_json


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


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, None),
        ({"a": [1, 2.5, True, None, "x", {"b": []}]}, None),
        ((1, 2), None),
        ({1: 2, None: 3}, None),
        (object(), "result is of type 'object'"),
        ([1, {2}], "result[1] is of type 'set'"),
        ({"a": {"b": b""}}, "result['a']['b'] is of type 'bytes'"),
        ([float("inf")], "result[0] is inf"),
        ({(1,): 2}, "result has a key of type 'tuple'"),
    ],
)
def test_the_place_of_what_is_not_json_is_found(value, where):
    assert first_not_json(value) == where
