"""Run http_api tasks of execution_mode ``inline`` in the control plane. Knows no store.

What is sent and when is decided by `leoflow_agent.http.talk`, as in a container; this has the
network. The calls run in a thread of their own: a thousand answers at once are a second's work,
which nothing else should wait for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
from leoflow_agent import exitcode
from leoflow_agent.http.ask import Question
from leoflow_agent.http.step import Answer, Broken, Line, Pause, Send
from leoflow_agent.http.talk import Limits, talk
from leoflow_agent.http.trouble import cut_off, late, no_answer, no_connection
from leoflow_agent.spec import TaskSpec
from leoflow_agent.wire import HttpRequest

from leoflow_controlplane.loopthread import LoopThread
from leoflow_controlplane.observer import SILENT, Observer
from leoflow_controlplane.observer import InlineOutcome as Ending
from leoflow_controlplane.outbound.client import make_transport
from leoflow_controlplane.outbound.guard import AddressRefused
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.verdict import Verdict

logger = logging.getLogger("leoflow.inline")


class InlineOutcome(NamedTuple):
    """How a call ended; ``value`` is the JSON text of its result."""

    verdict: Verdict
    value: str | None = None


class InlineTask(NamedTuple):
    """A task to run. ``environment`` are the variables that it is declared to have, and never
    the control plane's own. ``say`` takes each line of its log."""

    task: TaskSpec
    request: HttpRequest
    environment: Mapping[str, str] = MappingProxyType({})
    say: Callable[[str], None] = logger.info


class InlineRunner:
    """Sends requests, many at a time, over shared connections."""

    def __init__(
        self,
        settings: Settings,
        transport: httpx.AsyncBaseTransport | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._transport = transport
        self._thread = LoopThread("leoflow-inline")

    async def run(self, inline: InlineTask) -> InlineOutcome:
        """Have the conversation and judge it; never raises for what the network does."""
        loop = asyncio.get_running_loop()

        def say(text: str) -> None:
            loop.call_soon_threadsafe(inline.say, text)

        self._observer.inline_began()
        ended: Ending = "cancelled"
        try:
            outcome = await self._thread.run(self._judge(inline._replace(say=say)))
            ended = "success" if outcome.verdict.state == "success" else "failed"
            return outcome
        finally:
            self._observer.inline_ended(ended)

    async def close(self) -> None:
        """End the calls that are under way and close the connections."""
        if self._transport is not None:
            await self._thread.run(self._transport.aclose())
        await self._thread.close()

    async def _judge(self, inline: InlineTask) -> InlineOutcome:
        cap = self._settings.inline_http_max_seconds
        limit = min(inline.task.execution_timeout_seconds or cap, cap)
        try:
            question = _question(inline)
            try:
                async with asyncio.timeout(limit):
                    value = await self._carry_out(inline, question)
            except TimeoutError:
                return _failed(f"timed out: {question.place} took longer than {limit:g} s")
        except exitcode.Verdict as verdict:
            return _failed(verdict.reason)
        return InlineOutcome(Verdict("success"), json.dumps(value))

    async def _carry_out(self, inline: InlineTask, question: Question) -> Any:
        limits = Limits(inline.task.task_id, self._settings.xcom_limit_bytes)
        most = self._settings.inline_response_limit_bytes
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
                inline.say(step.text)
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
            answer = await self._sender().handle_async_request(request)
            try:
                seen.status = answer.status_code
                body = await _read(answer.stream, send.read_bytes, seen)
            finally:
                await answer.aclose()
        except Exception as error:
            return _broken(error, send, seen)
        headers = answer.headers.multi_items()
        return Answer(answer.status_code, headers, body, time.monotonic() - begun)

    def _sender(self) -> httpx.AsyncBaseTransport:
        if self._transport is None:
            self._transport = make_transport(
                self._settings.inline_allowed_hosts,
                self._settings.max_inline_calls,
                self._settings.inline_connections_per_host,
            )
        return self._transport


def _timeouts(send: Send) -> dict[str, float]:
    connect, read = send.connect_seconds, send.read_seconds
    return {"connect": connect, "pool": connect, "read": read, "write": read}


def _question(inline: InlineTask) -> Question:
    # Refused when a DAG is built; this is for documents that no build has seen.
    if inline.request.get("save_as") is not None:
        reason = "save_as needs execution_mode: pod: an inline call has no folder for files"
        raise exitcode.Verdict(exitcode.USER_FAILURE, reason)
    return Question(inline.request, inline.environment, random.random, time.time)


def _too_long(question: Question, most: int) -> exitcode.Verdict:
    reason = (
        f"the answer to {question.place} is longer than {most} bytes, the limit for calls in the "
        "control plane (LEOFLOW_INLINE_RESPONSE_LIMIT_BYTES): write execution_mode: pod, or ask "
        "for less"
    )
    return exitcode.Verdict(exitcode.RESULT_INVALID, question.secrets.hide(reason))


def _failed(reason: str) -> InlineOutcome:
    return InlineOutcome(Verdict("failed", reason))


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
