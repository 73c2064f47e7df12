"""http_api tasks do the same in a container and in the control plane, whatever servers do.

Each test runs in both forms, against a real server. Starts no container: the form of a container
is the function that the agent calls.
"""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pytest
from freeport import free_port
from httpfault import FaultServer, Reply, Request, Reset, as_json, serving
from leoflow_agent import exitcode
from leoflow_agent.action import (
    FromEnvironment,
    HttpAction,
    HttpCondition,
    HttpPagination,
    HttpPoll,
    Value,
)
from leoflow_agent.http import ask, task
from leoflow_agent.http.step import Pause
from leoflow_controlplane.inline.conversation import Caller
from leoflow_controlplane.inline.message import Order
from leoflow_controlplane.inlinecalls import make_terms
from leoflow_controlplane.inputs import resolve_request
from leoflow_controlplane.outbound.client import make_transport
from leoflow_controlplane.outbound.guard import LOOPBACK
from leoflow_controlplane.setting import Settings

SECRET = "geheim-7f3a9"
DONE = HttpCondition(path="state", one_of=("done",))
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Outcome(NamedTuple):
    value: Any
    reason: str | None
    lines: list[str]

    @property
    def text(self) -> str:
        """All that anybody gets to see of it but the result."""
        return "\n".join([*self.lines, self.reason or ""])


Mode = Callable[..., Outcome]


def inline(action: HttpAction, environment: Mapping[str, str], limit: int) -> Outcome:
    import asyncio

    async def run() -> Outcome:
        lines: list[str] = []
        settings = Settings(
            max_parallel_tasks=1, xcom_limit_bytes=limit, inline_allowed_hosts=LOOPBACK
        )
        transport = make_transport(settings.inline_allowed_hosts, 1, 1)
        request = resolve_request(action, {})
        order = Order(task_id="t", request=request, environment=dict(environment), seconds=20.0)

        async def say(line: str) -> None:
            lines.append(line)

        ended = await Caller(make_terms(settings), transport).call(order, say)
        await transport.aclose()
        value = None if ended.value is None else json.loads(ended.value)
        return Outcome(value, ended.reason, lines)

    return asyncio.run(run())


@pytest.fixture(params=["pod", "inline"])
def mode(
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Mode:
    """Run an HttpAction: `mode(url, environment={…}, limit=…, field=…)`."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def pod(action: HttpAction, environment: Mapping[str, str], limit: int) -> Outcome:
        filled_in = json.loads(json.dumps(resolve_request(action, {})))
        inputs: Any = {"request": filled_in, "environment": environment}
        workload: Any = {"context": {"task_id": "t"}, "xcom_limit_bytes": limit}
        capfd.readouterr()
        try:
            value, reason = task.send(inputs, workload), None
        except exitcode.Verdict as verdict:
            value, reason = None, verdict.reason
        return Outcome(value, reason, capfd.readouterr().out.splitlines())

    form = pod if request.param == "pod" else inline

    def run(
        url: Any, environment: Mapping[str, str] | None = None, limit: int = 4096, **fields: Any
    ) -> Outcome:
        return form(HttpAction(url, **fields), environment or {}, limit)

    return run


def in_turn(*replies: Any) -> Callable[[Request], Any]:
    """Answer with each of ``replies``, and with the last one from then on."""
    return lambda request: replies[min(request.count, len(replies)) - 1]


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


def test_credentials_stay_with_their_server(mode: Mode) -> None:
    headers = {
        "Authorization": Value(f"Bearer {SECRET}"),
        "Cookie": Value(SECRET),
        "X-Mine": Value(SECRET),
        "Accept": Value("text/csv"),
    }
    with serving(in_turn(as_json(1))) as other:
        away = Reply(302, headers={"Location": f"{other.url}/there?sig={SECRET}"})
        with serving(in_turn(Reply(307, headers={"Location": "/near"}), away)) as server:
            ended = mode(server.url, headers=headers)
    assert ended.value == 1
    assert [SECRET in json.dumps(dict(one.headers)) for one in server.requests] == [True, True]
    (there,) = other.requests
    assert SECRET not in json.dumps(dict(there.headers))
    assert there.headers["Accept"] == "text/csv"
    assert SECRET not in ended.text
    assert ended.lines[1].endswith(f": 302, goes on at {other.url}")


@pytest.mark.parametrize(
    ("status", "method", "arrives"),
    [
        (301, "POST", ("GET", b"")),
        (302, "POST", ("GET", b"")),
        (303, "PUT", ("GET", b"")),
        (302, "PUT", ("PUT", b"{}")),
        (307, "POST", ("POST", b"{}")),
        (308, "POST", ("POST", b"{}")),
    ],
)
def test_what_is_sent_on(mode: Mode, status: int, method: str, arrives: tuple[str, bytes]) -> None:
    moved = Reply(status, headers={"Location": "/new"})
    with serving(in_turn(moved, as_json(1))) as server:
        assert mode(server.url, method=method, body=Value({})).value == 1
    assert (server.requests[1].method, server.requests[1].body) == arrives


def test_a_redirect_that_is_a_success_is_not_followed(mode: Mode) -> None:
    with serving(in_turn(Reply(303, headers={"Location": "/x"}, body=b"see"))) as server:
        assert mode(server.url, success_codes=(303,)).value == "see"


def test_name_and_password_of_a_url_are_sent_and_not_shown(mode: Mode) -> None:
    with serving(in_turn(Reply(403))) as server:
        ended = mode(f"http://me:{SECRET}@{server.url[7:]}/x?key={SECRET}")
    expected = "Basic " + b64encode(f"me:{SECRET}".encode()).decode()
    assert server.requests[0].headers["Authorization"] == expected
    assert server.requests[0].path == f"/x?key={SECRET}"
    assert SECRET not in ended.text


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


def test_a_server_is_not_given_the_cookies_that_it_set(mode: Mode) -> None:
    again = as_json({"state": "queued"}, Set_Cookie="a=b")
    with serving(in_turn(again, as_json({"state": "done"}))) as server:
        mode(server.url, poll=HttpPoll(DONE, 0.05))
    assert "Cookie" not in server.requests[1].headers


def test_a_redirect_may_lead_to_a_url_with_other_letters(mode: Mode) -> None:
    moved = Reply(302, headers={"Location": "/\u00fc x".encode().decode("latin-1")})
    with serving(in_turn(moved, as_json(1))) as server:
        assert mode(server.url).value == 1
    assert server.requests[1].path == "/%C3%BC%20x"


def test_a_proxy_of_the_environment_is_used(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(in_turn(as_json("by proxy"))) as proxy,
        serving(in_turn(as_json("direct"))) as near,
    ):
        monkeypatch.setenv("http_proxy", f"http://me:pw@{proxy.url[7:]}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert mode("http://api.invalid/x?a=1").value == "by proxy"
        assert mode(near.url).value == "direct"
    (request,) = proxy.requests
    assert request.path == "http://api.invalid/x?a=1"
    assert request.headers["Host"] == "api.invalid"
    assert request.headers["Proxy-Authorization"] == "Basic " + b64encode(b"me:pw").decode()


def test_tls_goes_through_a_proxy_and_its_end_is_checked(
    mode: Mode, certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with serving(in_turn(as_json(1)), certificate=certificate) as server, tunnel() as (proxy, seen):
        monkeypatch.setenv("https_proxy", proxy)
        assert mode(f"{server.url}/{SECRET}").value == 1
    assert seen[0].startswith(f"CONNECT {server.url[8:]} HTTP/1.")
    assert f"\r\nHost: {server.url[8:]}\r\n" in seen[0]
    assert SECRET not in seen[0]


@contextmanager
def tunnel() -> Iterator[tuple[str, list[str]]]:
    """A proxy that connects once to where it is asked to; give its URL, and what it is asked."""
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client = listener.accept()[0]
            seen.append(client.recv(65536).decode())
            host, port = seen[0].split()[1].split(":")
            with client, socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 go on\r\n\r\n")
                back = threading.Thread(target=_copy, args=(server, client))
                back.start()
                _copy(client, server)
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A key and a certificate for 127.0.0.1 that is signed by itself."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    key = file.with_name("key.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", file),
        ],
        check=True,
        capture_output=True,
    )
    file.write_bytes(file.read_bytes() + key.read_bytes())
    return str(file)


def test_a_certificate_that_nobody_vouches_for_is_refused(mode: Mode, certificate: str) -> None:
    with serving(in_turn(as_json(1)), certificate=certificate) as server:
        ended = mode(f"{server.url}/x")
    assert "self-signed certificate" in (ended.reason or "")
    assert ended.lines == []
    assert server.requests == []


def test_a_certificate_of_the_known_authorities_is_taken(
    mode: Mode, certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with serving(in_turn(as_json(1)), certificate=certificate) as server:
        assert mode(server.url).value == 1
