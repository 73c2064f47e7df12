"""Make one inline call: the conversation that `leoflow_agent.http.talk` decides, as in a container,
with the network that this has. Runs in a process of its own; knows no store and no pipe.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import httpx
from leoflow_agent import exitcode
from leoflow_agent.http.ask import Question
from leoflow_agent.http.step import Answer, Broken, Line, Pause, Send
from leoflow_agent.http.talk import Limits, talk
from leoflow_agent.http.trouble import cut_off, late, no_answer, no_connection

from leoflow_controlplane.inline.message import Ending, Order, Terms
from leoflow_controlplane.jsondepth import DEEPEST, is_too_deep
from leoflow_controlplane.outbound.guard import AddressRefused

Say = Callable[[str], Awaitable[None]]


class Ended(NamedTuple):
    """How a call ended; ``value`` is the JSON text of its result."""

    state: Ending
    reason: str | None = None
    value: str | None = None


class Caller:
    """Sends requests, many at a time, over the connections of ``transport``."""

    def __init__(self, terms: Terms, transport: httpx.AsyncBaseTransport) -> None:
        self._xcom_bytes = terms["xcom_limit_bytes"]
        self._response_bytes = terms["response_limit_bytes"]
        self._transport = transport

    async def call(self, order: Order, say: Say) -> Ended:
        """Have the conversation and judge it; never raises for what the network does.

        ``say`` takes each line of its log.
        """
        limit = order["seconds"]
        try:
            question = _question(order)
            try:
                async with asyncio.timeout(limit):
                    value = await self._carry_out(order["task_id"], question, say)
            except TimeoutError:
                return Ended("failed", f"timed out: {question.place} took longer than {limit:g} s")
        except exitcode.Verdict as verdict:
            return Ended("failed", verdict.reason)
        if is_too_deep(value):
            return Ended("failed", f"its result has lists or mappings more than {DEEPEST} deep")
        return Ended("success", None, json.dumps(value))

    async def _carry_out(self, task_id: str, question: Question, say: Say) -> Any:
        limits = Limits(task_id, self._xcom_bytes)
        most = self._response_bytes
        is_ours = most < limits.read_bytes
        limits.read_bytes = min(most, limits.read_bytes)
        steps = talk(question, limits)
        reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return end.value.value
            reply = None
            if isinstance(step, Line):
                await say(step.text)
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            else:
                reply = await self._exchange(step)
                if is_ours and isinstance(reply, Answer) and reply.body is None:
                    raise _too_long(question, most)

    async def _exchange(self, send: Send) -> Answer | Broken:
        begun = time.monotonic()
        seen = _Seen()
        try:
            request = httpx.Request(
                send.method,
                send.url,
                headers=send.headers,
                content=send.body,
                extensions={"timeout": _timeouts(send)},
            )
            answer = await self._transport.handle_async_request(request)
            try:
                seen.status = answer.status_code
                body = await _read(answer.stream, send.read_bytes, seen)
            finally:
                await answer.aclose()
        except Exception as error:
            return _broken(error, send, seen)
        headers = answer.headers.multi_items()
        return Answer(answer.status_code, headers, body, time.monotonic() - begun)


def _timeouts(send: Send) -> dict[str, float]:
    connect, read = send.connect_seconds, send.read_seconds
    return {"connect": connect, "pool": connect, "read": read, "write": read}


def _question(order: Order) -> Question:
    # Refused when a DAG is built; this is for documents that no build has seen.
    if order["request"].get("save_as") is not None:
        reason = "save_as needs execution_mode: pod: an inline call has no folder for files"
        raise exitcode.Verdict(exitcode.USER_FAILURE, reason)
    return Question(order["request"], order["environment"], random.random, time.time)


def _too_long(question: Question, most: int) -> exitcode.Verdict:
    reason = (
        f"the answer to {question.place} is longer than {most} bytes, the limit for calls in the "
        "control plane (LEOFLOW_INLINE_RESPONSE_LIMIT_BYTES): write execution_mode: pod, or ask "
        "for less"
    )
    return exitcode.Verdict(exitcode.RESULT_INVALID, question.secrets.hide(reason))


class _Seen:
    """How far an answer had come."""

    status: int | None = None
    size_bytes = 0


async def _read(stream: Any, wanted: int, seen: _Seen) -> bytes | None:
    body = bytearray()
    async for chunk in stream:
        body += chunk
        seen.size_bytes = len(body)
        if len(body) > wanted:
            return None
    return bytes(body)


def _broken(error: Exception, send: Send, seen: _Seen) -> Broken:
    """Say why there is no answer. What httpx says itself may have a header's value in it."""
    if isinstance(error, AddressRefused):
        return Broken(False, False, str(error))
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return no_connection(TimeoutError(), send.connect_seconds)
    if isinstance(error, httpx.ConnectError):
        return no_connection(_system_error(error) or OSError("no connection"), send.connect_seconds)
    if isinstance(error, httpx.TimeoutException):
        return late(send.read_seconds)
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return no_answer() if seen.status is None else cut_off(seen.size_bytes)
    if isinstance(error, httpx.HTTPError | httpx.InvalidURL | ValueError):
        return Broken(False, False, type(error).__name__)
    raise error


def _system_error(error: BaseException | None) -> OSError | None:
    """Return the error of the operating system that is behind ``error``."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        error = inner or error.__cause__ or error.__context__
    return None
