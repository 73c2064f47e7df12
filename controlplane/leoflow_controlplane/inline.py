"""Run http_api tasks of execution_mode ``inline`` in the control plane. Knows no store."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import httpx
from leoflow_agent.spec import TaskSpec
from leoflow_agent.wire import HttpRequest

from leoflow_controlplane.setting import Settings
from leoflow_controlplane.store.report import describe_oversize
from leoflow_controlplane.verdict import Verdict

# An answer is read no further: whitespace apart, nothing longer fits into a value.
_READ_FACTOR = 8


class InlineOutcome(NamedTuple):
    """How a call ended; ``value`` is the JSON text of its result."""

    verdict: Verdict
    value: str | None = None


class InlineRunner:
    """Sends requests, many at a time, over shared connections."""

    def __init__(
        self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def run(self, task: TaskSpec, request: HttpRequest) -> InlineOutcome:
        """Send ``request`` once and judge the answer; never raises for what the network does."""
        limit = min(
            task.execution_timeout_seconds or self._settings.inline_http_max_seconds,
            self._settings.inline_http_max_seconds,
        )
        place = f"{request['method']} {shown_url(request['url'])}"
        try:
            async with asyncio.timeout(limit):
                return await self._send(task, request, place)
        except TimeoutError:
            return _failed(f"timed out: {place} took longer than {limit:g} s")
        except httpx.TimeoutException:
            seconds = request["timeout_seconds"]
            return _failed(f"{place} got no answer within timeout_seconds {seconds:g}")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, UnicodeError) as error:
            return _failed(f"{place} got no answer: {error or type(error).__name__}")

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    def _connections(self) -> httpx.AsyncClient:
        # Reading the certificates takes longer than starting up without.
        if self._client is None:
            limits = httpx.Limits(max_connections=self._settings.max_inline_calls)
            self._client = httpx.AsyncClient(transport=self._transport, limits=limits)
        return self._client

    async def _send(self, task: TaskSpec, request: HttpRequest, place: str) -> InlineOutcome:
        async with self._connections().stream(
            request["method"],
            _url(request),
            headers=_headers(request),
            content=_body(request["body"]),
            timeout=request["timeout_seconds"],
            follow_redirects=True,
        ) as answer:
            if answer.status_code not in request["success_codes"]:
                codes = request["success_codes"]
                return _failed(
                    f"{place} was answered with {answer.status_code}, success_codes are {codes}"
                )
            body = await self._read(answer)
        if body is None:
            return _failed(self._oversize(task, self._settings.xcom_limit_bytes * _READ_FACTOR))
        return self._judge(task, answer.headers.get("content-type", ""), body, place)

    async def _read(self, answer: httpx.Response) -> bytes | None:
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > self._settings.xcom_limit_bytes * _READ_FACTOR:
                return None
        return bytes(body)

    def _judge(self, task: TaskSpec, content_type: str, body: bytes, place: str) -> InlineOutcome:
        try:
            value = read_answer(content_type, body)
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except (ValueError, RecursionError) as error:
            return _failed(f"the answer to {place} calls itself JSON and is not: {error}")
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > self._settings.xcom_limit_bytes:
            return _failed(self._oversize(task, size))
        return InlineOutcome(Verdict("success"), json.dumps(value))

    def _oversize(self, task: TaskSpec, size: int) -> str:
        limit = self._settings.xcom_limit_bytes
        return describe_oversize(task.task_id, "return_value", size, limit)


def read_answer(content_type: str, body: bytes) -> Any:
    """Give the value of an answer: None when empty, JSON where it says so, else text."""
    if not body:
        return None
    text = body.decode("utf-8", "replace")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return json.loads(text)
    return text


def shown_url(url: str) -> str:
    """Leave out what may hold a secret: the query and the user's password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that is none"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _url(request: HttpRequest) -> str:
    if not request["query"]:
        return request["url"]
    joint = "&" if "?" in request["url"] else "?"
    return request["url"] + joint + urlencode(request["query"])


def _headers(request: HttpRequest) -> dict[str, str]:
    if request["body"] is None or isinstance(request["body"], str):
        return request["headers"]
    return {"Content-Type": "application/json", **request["headers"]}


def _body(body: Any) -> bytes | None:
    if body is None:
        return None
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _failed(reason: str) -> InlineOutcome:
    return InlineOutcome(Verdict("failed", reason))
