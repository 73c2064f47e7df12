"""Asks an API server by path and gives its answers as they are, Status bodies included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple

import aiohttp
from emulator.cluster import NAMESPACE

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


class Answer(NamedTuple):
    """A code, a document (or text) and headers."""

    code: int
    body: Any
    headers: Any


class Client:
    """Speaks to the API server at a URL."""

    def __init__(self, url: str) -> None:
        self._session = aiohttp.ClientSession(url)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def ask(
        self, method: str, path: str, body: Any = None, token: str = "", **query: str
    ) -> Answer:
        """Make a request and read its answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._session.request(
            method, path, json=body, params=query, headers=headers
        ) as answer:
            text = await answer.text()
            document = json.loads(text) if answer.content_type == "application/json" else text
            return Answer(answer.status, document, answer.headers)

    async def create(self, pod: dict[str, Any], **query: str) -> Answer:
        """Create a Pod."""
        return await self.ask("POST", PODS, pod, **query)

    async def until(self, name: str, is_so: Callable[[Any], bool]) -> Any:
        """Wait until something is so with a Pod."""
        async with asyncio.timeout(60):
            while True:
                answer = await self.ask("GET", f"{PODS}/{name}")
                if is_so(answer.body):
                    return answer.body
                await asyncio.sleep(0.005)

    async def until_phase(self, name: str, *phases: str) -> Any:
        """Wait until a Pod is in one of the phases."""
        return await self.until(name, lambda pod: pod.get("status", {}).get("phase") in phases)

    @asynccontextmanager
    async def watch(self, path: str = PODS, **query: str) -> AsyncIterator[AsyncIterator[Any]]:
        """Give the events of a watch, as long as it lasts."""
        async with self._session.get(path, params={"watch": "true", **query}) as answer:
            yield _events(answer)


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    async for line in answer.content:
        yield json.loads(line)


def make_pod(name: str, **variables: str) -> dict[str, Any]:
    """Write a Pod whose container does as BEHAVE, and becomes what FATE says."""
    env = [{"name": key, "value": value} for key, value in variables.items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "test", "name": name}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "task", "image": "image", "env": env}],
        },
    }
