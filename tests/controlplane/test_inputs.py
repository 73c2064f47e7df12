"""Values of upstream tasks, filled in."""

from __future__ import annotations

import pytest
from leoflow_agent.action import (
    BashAction,
    DictOf,
    FromEnvironment,
    HttpAction,
    HttpCondition,
    HttpPagination,
    HttpPoll,
    ListOf,
    PythonAction,
    Value,
    XCom,
)
from leoflow_controlplane.inputs import needed_xcoms, resolve_inputs, text_of

VALUES = {("a", "return_value"): {"n": 1}, ("b", "k"): [2]}


def test_a_python_call_gets_values_however_deep() -> None:
    nested = ListOf((XCom("a"), DictOf({"x": XCom("b", "k"), "y": Value(None)})))
    inputs = resolve_inputs(PythonAction("m", args=(nested,), kwargs={"v": Value(3)}), VALUES)
    assert inputs["args"] == [[{"n": 1}, {"x": [2], "y": None}]]
    assert inputs["kwargs"] == {"v": 3}


def test_a_value_that_nobody_left_is_none() -> None:
    assert resolve_inputs(PythonAction("m", args=(XCom("gone"),)), VALUES)["args"] == [None]


def test_bash_gets_text() -> None:
    action = BashAction(command="true", environment={"A": XCom("a"), "B": Value("as is")})
    assert resolve_inputs(action, VALUES)["environment"] == {"A": '{"n": 1}', "B": "as is"}


def test_bash_with_a_function_gets_its_arguments() -> None:
    action = BashAction(python=PythonAction("m", args=(XCom("b", "k"),)))
    assert resolve_inputs(action, VALUES)["args"] == [[2]]


def test_a_request_is_filled_in() -> None:
    action = HttpAction(
        "http://h", "POST", {"X": XCom("a")}, {"q": Value(7)}, XCom("b", "k"), 5.0, (201,)
    )
    assert resolve_inputs(action, VALUES)["request"] == {
        "method": "POST",
        "url": "http://h",
        "headers": {"X": '{"n": 1}'},
        "query": {"q": "7"},
        "body": [2],
        "timeout_seconds": 5.0,
        "success_codes": [201],
        "connect_timeout_seconds": None,
        "request_retries": 3,
        "retry_codes": [],
        "poll": None,
        "pagination": None,
        "save_as": None,
    }


def test_what_a_request_does_over_and_over_is_filled_in() -> None:
    job = HttpCondition(status=(200,), path="state", one_of=("done", None))
    pages = HttpPagination("cursor", "rows", "meta.next", "after", allowed_hosts=("b.example",))
    action = HttpAction(
        FromEnvironment("URL"),
        headers={"Authorization": FromEnvironment("TOKEN", "Bearer "), "X": XCom("a")},
        query={"key": FromEnvironment("AIRFLOW_CONN_API", part="password")},
        poll=HttpPoll(job, 5.0, HttpCondition(path="state", none_of=("a",))),
        pagination=pages,
    )
    request = resolve_inputs(action, VALUES)["request"]
    assert request is not None
    assert request["url"] == {"env": "URL", "prefix": "", "part": None}
    assert request["headers"] == {
        "Authorization": {"env": "TOKEN", "prefix": "Bearer ", "part": None},
        "X": '{"n": 1}',
    }
    assert request["query"] == {
        "key": {"env": "AIRFLOW_CONN_API", "prefix": "", "part": "password"}
    }
    assert request["poll"] == {
        "until": {"status": [200], "path": "state", "one_of": ["done", None], "none_of": None},
        "interval_seconds": 5.0,
        "fail_when": {"status": None, "path": "state", "one_of": None, "none_of": ["a"]},
    }
    assert request["pagination"] == {
        "next": "cursor",
        "items": "rows",
        "path": "meta.next",
        "query": "after",
        "first_page": 1,
        "max_pages": 100,
        "allowed_hosts": ["b.example"],
    }
    assert needed_xcoms(action) == {("a", "return_value")}


def test_what_an_action_reads_is_known() -> None:
    inner = PythonAction("m", kwargs={"x": DictOf({"y": XCom("p")})})
    action = BashAction(python=inner, environment={"E": XCom("q", "k")})
    assert needed_xcoms(action) == {("p", "return_value"), ("q", "k")}
    assert needed_xcoms(HttpAction(XCom("u"))) == {("u", "return_value")}
    assert needed_xcoms(HttpAction("u", body=XCom("r"))) == {("r", "return_value")}


@pytest.mark.parametrize(
    ("value", "text"),
    [("é", "é"), (None, "null"), (True, "true"), (1.5, "1.5"), (["é"], '["é"]')],
)
def test_text_of(value: object, text: str) -> None:
    assert text_of(value) == text


def test_a_url_may_come_from_an_upstream_task() -> None:
    inputs = resolve_inputs(HttpAction(XCom("where")), {("where", "return_value"): "http://x/y"})
    assert inputs["request"] is not None
    assert inputs["request"]["url"] == "http://x/y"
