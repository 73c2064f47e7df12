"""The fields of an http_api task."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_agent.action import (
    DictOf,
    FromEnvironment,
    HttpAction,
    HttpCondition,
    HttpPagination,
    HttpPoll,
    ListOf,
    Value,
    XCom,
    arguments_of,
)
from leoflow_builder.httpfield import make_http

URL = {"url": Value("http://x/")}
POD = {"execution_mode": Value("pod")}


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
        ({"headers": Value({"A": {"env": "a b"}})}, "headers.A: env has to be the name of a var"),
        ({"query": Value({"a": {"env": "A", "suffix": ""}})}, "query.a: unknown key 'suffix' bes"),
        ({"headers": Value({"A": {"env": "A", "part": "x"}})}, "headers.A: part 'x' is none that"),
        ({"headers": Value({"A": {"env": "A", "prefix": 1}})}, "headers.A: prefix has to be text"),
        ({"url": Value({"env": 1})}, "url: env has to be the name of a variable, not '1'"),
        ({"url": Value({"path": "x"})}, "url: has to be text or the result of a task"),
        ({"connect_timeout_seconds": Value(0)}, "connect_timeout_seconds is '0': "),
        ({"request_retries": Value(-1)}, "request_retries is '-1': "),
        ({"request_retries": Value(1.5)}, "request_retries has to be a whole number"),
        ({"retry_codes": Value([200])}, "retry_codes has 200, which is in success_codes too"),
        ({"retry_codes": Value(503)}, "retry_codes has to be a list, not '503'"),
        ({"save_as": Value("../x"), **POD}, "save_as: '../x' has to be a file name below LEOFLO"),
        ({"save_as": Value("/x"), **POD}, "save_as: '/x' has to be a file name below LEOFLOW_A"),
        ({"save_as": Value("a/..b"), **POD}, "save_as: 'a/..b' has to be a file name below"),
        ({"save_as": Value("x")}, "save_as needs execution_mode: pod: an inline call has no fol"),
        ({"poll": XCom("t")}, "poll has to be known before the run; results go into url, "),
        ({"poll": Value({})}, "'until' is missing: write it"),
        ({"poll": Value({"until": {}})}, "poll.until: needs a 'status' or a 'path'"),
        ({"poll": Value({"until": {"path": "a"}})}, "poll.until: 'path' needs exactly one of eq"),
        ({"poll": Value({"until": {"equals": 1}})}, "poll.until: 'equals' needs a 'path', where"),
        (
            {"poll": Value({"until": {"path": "a", "equals": 1, "one_of": [1]}})},
            "poll.until: 'path' needs exactly one of equals, one_of and none_of",
        ),
        (
            {"poll": Value({"until": {"path": "a..b", "equals": 1}})},
            "poll.until.path: 'a..b' is not a JSON path at character 2: write names and",
        ),
        (
            {"poll": Value({"until": {"path": "a", "equals": [1]}})},
            "poll.until.equals: has to be text, a number, true, false or null",
        ),
        ({"poll": Value({"until": {"status": 404}})}, "poll.until.status has 404, which is not i"),
        ({"poll": Value({"until": {"status": "ok"}})}, "poll.until.status has to be a list, not"),
        ({"poll": Value({"until": {"stat": 200}})}, "unknown key 'stat'. Did you mean 'status'?"),
        (
            {"poll": Value({"until": {"status": 200}, "interval_seconds": 0})},
            "poll.interval_seconds is '0': ",
        ),
        (
            {"poll": Value({"until": {"path": "a", "equals": 1}}), "save_as": Value("x"), **POD},
            "save_as with poll: 'until' has to have a 'status', and no condition a 'path'",
        ),
        (
            {
                "poll": Value({"until": {"status": 200}}),
                "pagination": Value({"next": "link_header"}),
            },
            "poll and pagination do not go together: wait in one task, and fetch in the next",
        ),
        ({"pagination": Value({"next": "link"})}, "next 'link' is none that leoflow knows."),
        ({"pagination": Value({"next": "url"})}, "pagination: next: url needs 'path'"),
        (
            {"pagination": Value({"next": "cursor", "path": "a"})},
            "pagination: next: cursor needs 'query'",
        ),
        (
            {"pagination": Value({"next": "link_header", "path": "a"})},
            "pagination: next: link_header has no use for 'path'",
        ),
        (
            {"pagination": Value({"next": "link_header", "first_page": 2})},
            "pagination: next: link_header has no use for 'first_page'",
        ),
        (
            {"pagination": Value({"next": "link_header", "allowed_hosts": ["http://x"]})},
            "pagination.allowed_hosts.0: 'http://x' has to be a host",
        ),
        ({"pagination": Value({"next": "link_header", "max_pages": 0})}, "pagination.max_pages is"),
    ],
)
def test_a_wrong_field_is_named(field: dict[str, Any], message: str) -> None:
    _, complaints = make_http({**URL, **field})
    assert [found.message[: len(message)] for found in complaints] == [message]


def test_what_comes_from_the_environment_is_looked_up_in_the_task() -> None:
    action, complaints = make_http(
        {
            "url": Value({"env": "API"}),
            "headers": DictOf({"A": Value({"env": "B", "prefix": "Bearer "}), "C": XCom("t")}),
            "query": Value({"k": {"env": "AIRFLOW_CONN_X", "part": "password"}, "plain": {"e": 1}}),
        }
    )
    assert complaints == []
    assert action == HttpAction(
        FromEnvironment("API"),
        headers={"A": FromEnvironment("B", "Bearer "), "C": XCom("t")},
        query={
            "k": FromEnvironment("AIRFLOW_CONN_X", part="password"),
            "plain": Value({"e": 1}),
        },
    )
    assert list(arguments_of(action)) == [XCom("t"), Value({"e": 1})]


def test_what_is_done_over_and_over_is_kept() -> None:
    until = {"status": 200, "path": "a.b", "equals": None}
    poll = {"until": until, "interval_seconds": 2, "fail_when": {"path": "a.b", "one_of": ["x", 1]}}
    action, complaints = make_http({**URL, "poll": Value(poll), "request_retries": Value(0)})
    assert complaints == []
    assert action == HttpAction(
        "http://x/",
        poll=HttpPoll(
            HttpCondition((200,), "a.b", (None,)), 2, HttpCondition(None, "a.b", ("x", 1))
        ),
        request_retries=0,
    )


def test_pages_and_a_file_are_kept() -> None:
    pages = {"next": "cursor", "path": "c", "query": "q", "allowed_hosts": ["a.example:8080"]}
    fields = {**URL, **POD, "pagination": Value(pages), "save_as": Value("in/rows 1.json")}
    action, complaints = make_http(fields)
    assert complaints == []
    assert action is not None
    assert action.save_as == "in/rows 1.json"
    assert action.pagination == HttpPagination(
        "cursor", path="c", query="q", allowed_hosts=("a.example:8080",)
    )


def test_what_was_not_said_may_be_written_as_none() -> None:
    none = dict.fromkeys(("poll", "pagination", "save_as", "connect_timeout_seconds"), Value(None))
    assert make_http({**URL, **none}) == (HttpAction("http://x/"), [])


def test_the_url_may_be_a_result() -> None:
    action, complaints = make_http({"url": XCom("where")})
    assert complaints == []
    assert action is not None
    assert list(arguments_of(action)) == [XCom("where")]


def test_a_missing_url_is_said() -> None:
    assert make_http({})[1][0].message == "'url' is missing: write it"
