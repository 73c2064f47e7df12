"""http_api tasks do the same in a container and in the control plane, whatever servers do.

Each test runs in both forms, against a real server. Starts no container: the form of a container
is the function that the agent calls.
"""

from __future__ import annotations

import gzip
import threading
import time
from typing import Any

import pytest
from freeport import free_port
from httpfault import Reply, Reset, as_json, serving
from httpmode import SECRET, Mode, Outcome, in_turn
from leoflow_agent.action import (
    FromEnvironment,
    Value,
)
from leoflow_agent.http import ask
from leoflow_agent.http.step import Pause


def test_one_request_and_what_is_said_of_it(mode: Mode) -> None:
    with serving(in_turn(as_json({"a": [1]}))) as server:
        ended = mode(f"{server.url}/x?a=1", query={"b": Value("ä c")}, headers={"X-A": Value("ü")})
    (line,) = ended.lines
    assert (ended.value, ended.reason) == ({"a": [1]}, None)
    assert line.startswith(f"GET {server.url}/x: 200 in ")
    (request,) = server.requests
    assert request.path == "/x?a=1&b=%C3%A4+c"
    assert request.headers["User-Agent"] == "leoflow"
    assert request.headers["X-A"].encode("latin-1").decode() == "ü"
    assert request.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (Reply(body=b'{"a": 1}'), '{"a": 1}'),
        (Reply(204), None),
        (
            Reply(
                body="é".encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"}
            ),
            "é",
        ),
        (Reply(body=b"[1]", headers={"Content-Type": "application/problem+json"}), [1]),
        (
            Reply(
                body=gzip.compress(b"[2]"),
                headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
            ),
            [2],
        ),
        (Reply(body=b"[3]", headers={"Content-Type": "application/json"}, chunked=True), [3]),
    ],
)
def test_what_a_body_becomes(mode: Mode, reply: Reply, value: object) -> None:
    with serving(in_turn(reply)) as server:
        assert mode(server.url).value == value


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(500, body=SECRET.encode()), "was answered with 500, success_codes are [200, 201"),
        (as_json([float("nan")]), "calls itself JSON and is not: NaN is not a number in JSON"),
        (
            Reply(body=b"{" + SECRET.encode(), headers={"Content-Type": "application/json"}),
            "calls itself JSON and is not: Expecting property name",
        ),
        (
            Reply(body=b"plain", headers={"Content-Encoding": "gzip"}),
            "calls itself gzip and is not",
        ),
        (
            Reply(body=gzip.compress(bytes(9_000_000)), headers={"Content-Encoding": "gzip"}),
            "unpacks to more than 32768 bytes",
        ),
        (Reply(body=b"x", headers={"Content-Encoding": "br"}), "compressed with 'br'"),
        (
            as_json("x" * 5000),
            "is 5002 bytes of JSON, more than the limit of 4096: have it written",
        ),
        (Reply(body=b"x" * 99_000), "is 99000 bytes, more than the limit of 4096: have it written"),
        (
            Reply(body=b"x" * 99_000, chunked=True),
            "is more than 32768 bytes, more than the limit of 4096",
        ),
        (Reply(302), "was answered with 302 and no header Location"),
        (
            Reply(302, headers={"Location": "ftp://x/"}),
            "was redirected to what cannot be asked for",
        ),
        (Reply(302, headers={"Location": "/again"}), "was redirected more than 10 times"),
        (Reply(body=b"123456", cut_after=3), "the connection broke after 3 bytes of the answer"),
        (
            Reply(body=b"123456", cut_after=3, chunked=True),
            "the connection broke after 3 bytes of the answer",
        ),
        (Reset, "got no answer: the connection broke before an answer"),
    ],
)
def test_what_is_no_success_says_why(mode: Mode, reply: Any, reason: str) -> None:
    with serving(in_turn(reply)) as server:
        ended = mode(f"{server.url}/x", request_retries=0)
    assert ended.value is None
    assert reason in (ended.reason or "")
    assert SECRET not in ended.text


def test_a_server_that_comes_up_late_is_reached(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, refused = free_port(), threading.Event()

    def pause(seconds: float) -> Pause:
        refused.set()
        return Pause(seconds)

    monkeypatch.setattr(ask, "Pause", pause)
    ended: list[Outcome] = []
    url = f"http://127.0.0.1:{port}"
    call = threading.Thread(
        target=lambda: ended.append(mode(url, method="POST", request_retries=9))
    )
    call.start()
    assert refused.wait(20)
    with serving(in_turn(as_json(1)), port=port) as server:
        call.join()
    assert ended[0].value == 1
    assert len(server.requests) == 1
    assert "refused" in ended[0].lines[0]
    assert "; again in 0." in ended[0].lines[0]


def test_after_the_last_attempt_it_fails_with_their_number(mode: Mode) -> None:
    ended = mode("http://127.0.0.1:1/", request_retries=1)
    assert (ended.reason or "").endswith("(2 times)")
    assert len(ended.lines) == 1


def test_a_host_that_is_not_known_is_said(mode: Mode) -> None:
    ended = mode("http://nowhere.invalid/x", request_retries=0)
    assert "GET http://nowhere.invalid/x got no answer: " in (ended.reason or "")


@pytest.mark.parametrize(("method", "requests"), [("GET", 3), ("PUT", 3), ("POST", 1)])
def test_what_may_have_been_done_is_not_done_again(mode: Mode, method: str, requests: int) -> None:
    with serving(in_turn(Reset, Reply(body=b"123", cut_after=1), as_json(2))) as server:
        ended = mode(server.url, method=method)
    assert len(server.requests) == requests
    assert ended.value == (2 if requests == 3 else None)


def test_an_answer_that_takes_too_long_is_not_waited_for(mode: Mode) -> None:
    with serving(in_turn(Reply(delay_seconds=5.0))) as server:
        ended = mode(server.url, timeout_seconds=1.0)
    assert "nothing came within timeout_seconds 1" in (ended.reason or "")
    assert len(server.requests) == 1


def test_connecting_has_a_time_of_its_own(mode: Mode) -> None:
    with serving(in_turn(Reply(body=b"x", delay_seconds=1.2))) as server:
        assert mode(server.url, connect_timeout_seconds=1.0, timeout_seconds=20.0).value == "x"


def test_a_server_that_asks_to_wait_is_waited_for(mode: Mode) -> None:
    busy = as_json({}, 429, Retry_After="1")
    with serving(in_turn(busy, as_json({}, 503), as_json(3))) as server:
        began = time.monotonic()
        ended = mode(server.url, method="POST", retry_codes=(429, 503))
    assert ended.value == 3
    assert time.monotonic() - began > 1
    assert ended.lines[0].endswith("was answered with 429; again in 1.0 s")


def test_without_being_told_to_it_does_not_wait(mode: Mode) -> None:
    with serving(in_turn(as_json({}, 429, Retry_After="1"))) as server:
        assert "was answered with 429" in (mode(server.url).reason or "")
    assert len(server.requests) == 1


def test_values_come_from_the_environment_of_the_task(mode: Mode) -> None:
    connection = f"http://me:{SECRET}@api.example.org"
    with serving(in_turn(Reply(403, body=SECRET.encode()))) as server:
        ended = mode(
            FromEnvironment("API"),
            {"API": f"{server.url}/hooks/{SECRET}", "TOKEN": SECRET, "AIRFLOW_CONN_X": connection},
            headers={
                "Authorization": FromEnvironment("AIRFLOW_CONN_X", part="basic"),
                "X-Token": FromEnvironment("TOKEN", "Bearer "),
            },
            query={"key": FromEnvironment("AIRFLOW_CONN_X", part="password")},
        )
    (request,) = server.requests
    assert request.path == f"/hooks/{SECRET}?key={SECRET}"
    assert request.headers["X-Token"] == f"Bearer {SECRET}"
    assert request.headers["Authorization"].startswith("Basic ")
    assert SECRET not in ended.text
    assert ended.reason == (
        f"GET {server.url} was answered with 403, success_codes are [200, 201, 202, 203, 204, 206]"
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"headers": {"A": FromEnvironment("NONE")}}, "headers.A comes from the variable 'NONE'"),
        ({"headers": {"A": Value(SECRET + "\n")}}, "the value of header 'A' has a line break"),
        ({"headers": {"A b": Value(SECRET)}}, "'A b' is no header that can be set"),
        ({"headers": {"Content-Length": Value("1")}}, "'Content-Length' is no header that can"),
        (
            {"headers": {"A": FromEnvironment("TOKEN", part="login")}},
            "the variable 'TOKEN' is not a connection",
        ),
    ],
)
def test_what_cannot_be_sent_is_not_shown(mode: Mode, fields: dict[str, Any], reason: str) -> None:
    ended = mode("http://127.0.0.1:1/", {"TOKEN": SECRET}, **fields)
    assert reason in (ended.reason or "")
    assert SECRET not in ended.text


@pytest.mark.parametrize(
    "url",
    [f"http://h/\x00{SECRET}", f"nope:{SECRET}", f"http://h:{SECRET}/", f"http://[{SECRET}/"],
)
def test_no_error_about_a_url_shows_it(mode: Mode, url: str) -> None:
    ended = mode(FromEnvironment("URL"), {"URL": url}, request_retries=0)
    assert ended.reason is not None
    assert SECRET not in ended.text
