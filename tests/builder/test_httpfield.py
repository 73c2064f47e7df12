"""The fields of an http_api task."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_agent.spec import DictOf, HttpAction, ListOf, Value, XCom, arguments_of
from leoflow_builder.httpfield import make_http

URL = {"url": Value("http://x/")}


def test_a_url_is_enough() -> None:
    assert make_http(URL) == (HttpAction("http://x/"), [])


def test_headers_and_query_take_results_one_by_one() -> None:
    fields = {
        **URL,
        "method": Value("POST"),
        "headers": DictOf({"a": XCom("t"), "b": Value("x")}),
        "query": Value({"c": 1}),
        "body": ListOf((XCom("t"),)),
        "success_codes": Value([201]),
        "timeout_seconds": Value(5),
    }
    assert make_http(fields) == (
        HttpAction(
            "http://x/",
            method="POST",
            headers={"a": XCom("t"), "b": Value("x")},
            query={"c": Value(1)},
            body=ListOf((XCom("t"),)),
            success_codes=(201,),
            timeout_seconds=5,
        ),
        [],
    )


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"url": Value("x")}, "url: 'x' has to begin with http:// or https://"),
        ({"url": Value(5)}, "url: has to be text or the result of a task"),
        ({"method": XCom("t")}, "method has to be known before the run; results go into url, "),
        ({"method": Value("get")}, "method 'get' is none that leoflow knows. "),
        ({"verb": Value("GET")}, "unknown key 'verb'. Known are url, method,"),
        ({"header": Value({})}, "unknown key 'header'. Did you mean 'headers'?"),
        ({"success_codes": Value([])}, "success_codes is list: "),
        ({"success_codes": Value([20])}, "success_codes.0 is '20': "),
        ({"timeout_seconds": Value(0)}, "timeout_seconds is '0': "),
        (
            {"execution_mode": Value("pods")},
            "execution mode 'pods' is none that leoflow knows. Did",
        ),
        ({"headers": XCom("t")}, "headers has to be a mapping of names to values"),
        ({"query": Value("a=1")}, "query has to be a mapping of names to values"),
    ],
)
def test_a_wrong_field_is_named(field: dict[str, Any], message: str) -> None:
    _, complaints = make_http({**URL, **field})
    assert [found.message[: len(message)] for found in complaints] == [message]


def test_the_url_may_be_a_result() -> None:
    action, complaints = make_http({"url": XCom("where")})
    assert complaints == []
    assert action is not None
    assert list(arguments_of(action)) == [XCom("where")]


def test_a_missing_url_is_said() -> None:
    assert make_http({})[1][0].message == "'url' is missing: write it"
