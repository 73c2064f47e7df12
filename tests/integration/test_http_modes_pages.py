"""http_api tasks that ask more than once: polling until a job is done, and page after page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from httpfault import FaultServer, Reply, Request, as_json, serving
from httpmode import DONE, SECRET, Mode, in_turn
from leoflow_agent.action import (
    FromEnvironment,
    HttpCondition,
    HttpPagination,
    HttpPoll,
    Value,
)


def test_a_job_is_polled_until_it_is_done(mode: Mode) -> None:
    states = [as_json({"state": name, "token": SECRET}) for name in ("queued", "running", "done")]
    with serving(in_turn(*states)) as server:
        ended = mode(f"{server.url}/job", poll=HttpPoll(DONE, 0.05))
    assert ended.value == {"state": "done", "token": SECRET}
    assert [line.partition(" ms, ")[2] for line in ended.lines] == [
        "state is 'queued', again in 0.05 s",
        "state is 'running', again in 0.05 s",
        "state is 'done', done",
    ]
    assert ended.lines[2].startswith(f"attempt 3 of GET {server.url}/job: 200 in ")
    assert SECRET not in ended.text


def test_a_job_that_fails_ends_the_poll_at_once(mode: Mode) -> None:
    poll = HttpPoll(DONE, 0.05, HttpCondition(path="state", one_of=("failed", "lost")))
    with serving(in_turn(as_json({"state": "queued"}), as_json({"state": "failed"}))) as server:
        ended = mode(f"{server.url}/job", poll=poll)
    assert ended.reason == f"GET {server.url}/job: state is 'failed', as fail_when has it"
    assert len(server.requests) == 2


def test_a_poll_may_wait_for_a_status(mode: Mode) -> None:
    poll = HttpPoll(HttpCondition(status=(200,)), 0.05, HttpCondition(status=(410,)))
    with serving(in_turn(Reply(202), Reply(404), Reply(body=b"x"))) as server:
        ended = mode(server.url, poll=poll, success_codes=(200, 202, 404))
    assert ended.value == "x"
    with serving(in_turn(Reply(202), Reply(410))) as server:
        ended = mode(server.url, poll=poll)
    assert ended.reason == f"GET {server.url}: it is answered with 410, as fail_when has it"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (
            as_json({"status": SECRET}),
            "has no 'state': there is no 'state' in the answer, which is",
        ),
        (Reply(body=SECRET.encode()), "is not JSON: Expecting value"),
        (as_json({"state": 1}, 500), "was answered with 500"),
    ],
)
def test_a_poll_that_looks_for_what_is_not_there_fails(
    mode: Mode, reply: Reply, reason: str
) -> None:
    with serving(in_turn(reply)) as server:
        ended = mode(server.url, poll=HttpPoll(DONE, 0.05))
    assert reason in (ended.reason or "")
    assert SECRET not in ended.text


@pytest.fixture
def shop() -> Iterator[FaultServer]:
    """Seven items on pages of three, told of in each of the ways."""

    def answer(request: Request) -> Reply:
        path, _, query = request.path.partition("?")
        values = dict(pair.split("=") for pair in query.split("&") if pair)
        start = int(values.get("after", 0)) or 3 * (int(values.get("page", 1)) - 1)
        page: dict[str, Any] = {"rows": list(range(start, min(start + 3, 7)))}
        more = start + 3 < 7
        page["next"] = f"{path}?after={start + 3}&token={SECRET}" if more else None
        page["cursor"] = start + 3 if more else ""
        link = {"Link": f'<{path}?after={start + 3}>; rel="next", </>; rel=first'} if more else {}
        return as_json(page, **link)

    with serving(answer) as server:
        yield server


@pytest.mark.parametrize(
    ("pagination", "requests"),
    [
        (HttpPagination("url", "rows", "next"), 3),
        (HttpPagination("cursor", "rows", "cursor", "after"), 3),
        (HttpPagination("link_header", "rows"), 3),
        (HttpPagination("page_number", "rows", query="page"), 4),
    ],
)
def test_pages_are_joined(
    mode: Mode, shop: FaultServer, pagination: HttpPagination, requests: int
) -> None:
    key = {"key": FromEnvironment("KEY")}
    ended = mode(f"{shop.url}/rows", {"KEY": SECRET}, pagination=pagination, query=key)
    assert ended.reason is None
    assert ended.value == [0, 1, 2, 3, 4, 5, 6]
    assert len(shop.requests) == len(ended.lines) == requests
    assert all(f"key={SECRET}" in request.path for request in shop.requests)
    assert ended.lines[0].startswith(f"page 1 of GET {shop.url}/rows: 200 in ")
    assert ended.lines[0].endswith(" ms, 3 items")
    assert SECRET not in ended.text


@pytest.mark.parametrize(
    ("page", "pagination", "reason"),
    [
        (
            {"rows": [1], "next": f"http://localhost:1/?t={SECRET}"},
            HttpPagination("url", "rows", "next"),
            "page 1 names a next page on http://localhost:1, another server",
        ),
        (
            {"rows": [], "next": ""},
            HttpPagination("url", "items", "next"),
            "has no items at 'items'",
        ),
        (
            {"rows": {}},
            HttpPagination("link_header", "rows"),
            "page 1 has no list at 'rows': it is an",
        ),
        (
            {"rows": []},
            HttpPagination("link_header"),
            "page 1 is not a list: it is a mapping with 'rows'",
        ),
        (
            {"rows": [1], "next": "?page=x"},
            HttpPagination("url", "rows", "next"),
            "page 2 names a page as the next one that was asked for already",
        ),
        (
            {"rows": [1], "next": 5},
            HttpPagination("cursor", "rows", "meta.next", "after"),
            "does not say where the next one is: there is no 'meta' in the answer",
        ),
        (
            {"rows": [1], "next": [SECRET]},
            HttpPagination("cursor", "rows", "next", "after"),
            "page 1 has a list of 1 items at 'next', where the next one should be",
        ),
        (
            {"rows": [SECRET * 200]},
            HttpPagination("page_number", "rows", query="p"),
            "bytes of JSON by page 2, more than the limit of 4096: have it written to a file",
        ),
        (
            {"rows": [1]},
            HttpPagination("page_number", "rows", query="p", max_pages=3),
            "page 3 is followed by more, and max_pages is 3: raise it, or ask for fewer items",
        ),
    ],
)
def test_pages_that_lead_nowhere_fail(
    mode: Mode, page: object, pagination: HttpPagination, reason: str
) -> None:
    with serving(in_turn(as_json(page))) as server:
        ended = mode(server.url, pagination=pagination)
    assert reason in (ended.reason or "")
    assert SECRET not in ended.text


def test_another_host_that_is_allowed_gets_the_headers(mode: Mode) -> None:
    with serving(in_turn(as_json({"rows": [2]}))) as other:
        first = as_json({"rows": [1], "next": f"{other.url}/more"})
        with serving(in_turn(first)) as server:
            ended = mode(
                server.url,
                headers={"Authorization": Value(SECRET)},
                pagination=HttpPagination("url", "rows", "next", allowed_hosts=(other.url[7:],)),
            )
    assert ended.value == [1, 2]
    assert other.requests[0].headers["Authorization"] == SECRET
