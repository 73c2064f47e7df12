"""What an inline call sends, how it is judged, and what it is kept from."""

from __future__ import annotations

import asyncio
import inspect
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from house import SETTINGS, make_call
from leoflow_agent.action import HttpAction, HttpCondition, HttpPagination, HttpPoll, Value
from leoflow_agent.spec import TaskSpec
from leoflow_controlplane.inline.conversation import Caller, Ended
from leoflow_controlplane.inline.message import Order
from leoflow_controlplane.inlinecalls import make_terms
from leoflow_controlplane.inputs import resolve_request
from leoflow_controlplane.outbound.client import make_transport
from leoflow_controlplane.setting import Settings

JSON = {"content-type": "application/json"}
Answer = Callable[[httpx.Request], httpx.Response]


async def send(task: TaskSpec, answer: Any, **settings: Any) -> Ended:
    transport = httpx.MockTransport(streamed(answer))
    return await carry_out(replace(SETTINGS, **settings), transport, task)


def streamed(answer: Any) -> Any:
    """Have the body of an answer come like one from the network."""

    async def stream(request: httpx.Request) -> httpx.Response:
        given = answer(request)
        given = await given if inspect.isawaitable(given) else given
        body = httpx.ByteStream(given.content)
        return httpx.Response(given.status_code, headers=given.headers, stream=body)

    return stream


def reply(status: int = 200, **content: Any) -> Answer:
    return lambda request: httpx.Response(status, **content)


async def test_json_becomes_a_value() -> None:
    outcome = await send(make_call(), reply(json={"a": [1]}))
    assert (outcome.state, outcome.value) == ("success", '{"a": [1]}')


async def test_other_text_stays_text() -> None:
    assert (await send(make_call(), reply(text='{"a": 1}'))).value == json.dumps('{"a": 1}')


async def test_an_empty_answer_is_none() -> None:
    assert (await send(make_call(), reply(204))).value == "null"


async def test_an_answer_that_is_too_deep_to_be_read_again_is_a_failure() -> None:
    outcome = await send(make_call(), reply(text="[" * 700 + "]" * 700, headers=JSON))
    assert (outcome.state, "more than 500 deep" in str(outcome.reason)) == ("failed", True)


async def test_the_whole_request_is_sent() -> None:
    seen: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    task = make_call(
        "http://api/x?a=1",
        method="POST",
        query={"b": Value(2)},
        body=Value({"c": 3}),
        headers={"X-Mine": Value("y")},
    )
    await send(task, note)
    assert (seen[0].method, str(seen[0].url)) == ("POST", "http://api/x?a=1&b=2")
    assert json.loads(seen[0].content) == {"c": 3}
    assert seen[0].headers["content-type"] == "application/json"
    assert seen[0].headers["x-mine"] == "y"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (reply(500), "GET http://api/x was answered with 500"),
        (reply(200, content=b"{", headers={"content-type": "application/json"}), "is not"),
        (reply(200, text="x" * 300), "is 302 bytes of JSON, more than the limit of 256"),
        (reply(200, text="x" * 9000), "more than the limit of 256"),
    ],
)
async def test_what_is_no_success_says_why(answer: Answer, text: str) -> None:
    outcome = await send(make_call(), answer, xcom_limit_bytes=256)
    assert outcome.state == "failed"
    assert text in str(outcome.reason)
    assert "password" not in str(outcome.reason)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (httpx.ConnectError("of geheim"), "got no answer: no connection"),
        (httpx.ReadTimeout("slow"), "within timeout_seconds 30"),
        (httpx.RemoteProtocolError("odd"), "got no answer: the connection broke before"),
        (httpx.LocalProtocolError("Illegal header value b'geheim'"), "answer: LocalProtocolError"),
    ],
)
async def test_what_the_network_does_is_a_failure(error: Exception, text: str) -> None:
    def break_off(request: httpx.Request) -> httpx.Response:
        raise error

    outcome = await send(make_call(request_retries=0), break_off)
    assert text in str(outcome.reason)


@pytest.mark.parametrize("url", ["nonsense://x", "http://h:99999999", "http://[x", "none"])
async def test_a_url_that_is_none_is_a_failure(url: str) -> None:
    outcome = await ask_for_real(url)
    assert outcome.state == "failed"
    assert "cannot be asked for" in str(outcome.reason)


async def test_the_operators_limit_ends_a_call() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return httpx.Response(200)

    outcome = await send(make_call(), hang, inline_http_max_seconds=0.01)
    assert "took longer than 0.01 s" in str(outcome.reason)


async def test_a_call_does_not_reach_the_machine_itself_unless_it_may() -> None:
    outcome = await ask_for_real("http://127.0.0.1:9/x", inline_allowed_hosts=())
    reason = str(outcome.reason)
    assert "'127.0.0.1' is the machine that leoflow runs on" in reason
    assert "LEOFLOW_INLINE_ALLOWED_HOSTS=127.0.0.1" in reason


@pytest.mark.parametrize("way", ["redirect", "page"])
async def test_nor_is_it_led_there_by_a_server(way: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if way == "redirect":
            return httpx.Response(302, headers={"location": "http://169.254.169.254/latest"})
        return httpx.Response(200, json={"next": "http://169.254.169.254/", "items": [1]})

    pages = HttpPagination("url", items="items", path="next", allowed_hosts=("169.254.169.254",))
    call = make_call("http://api/x", pagination=pages if way == "page" else None)
    transport = Forked(httpx.MockTransport(streamed(answer)), SETTINGS)
    outcome = await carry_out(SETTINGS, transport, call)
    assert "'169.254.169.254' is a cloud's metadata service" in str(outcome.reason)


class Forked(httpx.AsyncBaseTransport):
    """The host ``api`` is made up, everything else is the network."""

    def __init__(self, made_up: httpx.MockTransport, settings: Settings) -> None:
        self._made_up = made_up
        self._network = make_transport(settings.inline_allowed_hosts, 1, 1)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        way = self._made_up if request.url.host == "api" else self._network
        return await way.handle_async_request(request)


async def test_an_answer_over_the_limit_names_it() -> None:
    outcome = await send(make_call(), reply(text="x" * 200), inline_response_limit_bytes=100)
    assert "longer than 100 bytes" in str(outcome.reason)
    assert "LEOFLOW_INLINE_RESPONSE_LIMIT_BYTES" in str(outcome.reason)


async def test_a_small_answer_that_unpacks_to_a_large_one_is_over_the_limit_too() -> None:
    bomb = zlib.compress(b" " * 10_000_000)
    headers = {"content-encoding": "deflate", "content-type": "application/json"}

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(bomb))

    settings = replace(SETTINGS, inline_response_limit_bytes=20_000)
    outcome = await carry_out(settings, httpx.MockTransport(answer), make_call())
    assert len(bomb) < 20_000
    assert "unpacks to more than 20000 bytes" in str(outcome.reason)


async def test_the_limit_of_time_is_for_the_whole_conversation() -> None:
    """Each answer is quick, and there would be no end of them."""
    poll = HttpPoll(HttpCondition(path="state", one_of=("done",)), 0.01)
    call = make_call(poll=poll)
    outcome = await send(call, reply(json={"state": "on"}), inline_http_max_seconds=0.05)
    assert "took longer than 0.05 s" in str(outcome.reason)


async def ask_for_real(url: str, **settings: Any) -> Ended:
    chosen = replace(SETTINGS, **settings)
    transport = make_transport(chosen.inline_allowed_hosts, 1, 1)
    return await carry_out(chosen, transport, make_call(url))


async def carry_out(
    settings: Settings, transport: httpx.AsyncBaseTransport, task: TaskSpec
) -> Ended:
    async def drop(line: str) -> None:
        """Keep no log."""

    assert isinstance(task.action, HttpAction)
    seconds = settings.inline_http_max_seconds
    request = resolve_request(task.action, {})
    order = Order(task_id="h", request=request, environment={}, seconds=seconds)
    try:
        return await Caller(make_terms(settings), transport).call(order, drop)
    finally:
        await transport.aclose()
