"""The calls of the API server that tries need, on raw JSON: whole objects in and out, no models.

A Pod is ten kilobytes of JSON; a client's model objects of it cost twenty times what parsing does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from leoflow_controlplane.executor.cluster.connection import DECODER, Connection
from leoflow_controlplane.executor.cluster.fault import (
    Away,
    Broken,
    Moved,
    NotThere,
    Throttled,
    fault_of,
    fault_of_event,
)
from leoflow_controlplane.executor.cluster.pace import pause
from leoflow_controlplane.executor.cluster.permission import Right, find_missing

Object = Mapping[str, Any]

# Few at a time, for each page is parsed in one go, in the event loop.
PAGE_SIZE = 50
PAGE_ATTEMPTS = 5
# The API server ends a watch after this time, and one that is silent for longer is given up.
WATCH_SECONDS = 120
SILENCE_SECONDS = WATCH_SECONDS + 15.0
MAX_LOG_BYTES = 64 * 1024
# Of many Pods at once nothing else should have to wait for a store of events that is down.
EVENTS_SECONDS = 10.0
# In the words of both of its checks (registry/rest/delete.go, storage/interfaces.go).
_PRECONDITION = "precondition"
# Our own word among the kinds of events: the API server has taken the watch up.
OPENED = "OPENED"


class Page(NamedTuple):
    """A part of a list as of ``version``. ``rest`` asks for the next part, "" in the last."""

    items: list[Object]
    version: str
    rest: str


class Event(NamedTuple):
    """What a watch tells: OPENED, then ADDED, MODIFIED, DELETED or BOOKMARK and the object."""

    kind: str
    object: Object


class Calls(Protocol):
    """One namespace of one API server. All raise CallFailed; what is not there is deleted
    already, and None where it is asked for."""

    namespace: str

    async def create_pod(self, body: Object, *, dry_run: bool = False) -> Object: ...

    async def get_pod(self, name: str) -> Object | None: ...

    async def list_pods(self, selector: str, rest: str = "") -> Page: ...

    def watch_pods(self, selector: str, version: str) -> AsyncIterator[Event]:
        """Tell what happens after ``version``, until the API server has no more to tell."""

    async def delete_pod(
        self, name: str, grace_seconds: int, *, uid: str = "", version: str = ""
    ) -> bool:
        """Have a Pod ended; say whether there was one. 0 forgets it, whether its node knows or not.

        Raises Moved unless it is the one of ``uid``, and as it was at ``version``.
        """

    async def read_log(self, name: str, container: str, lines: int) -> str | None: ...

    async def list_events(self, pod: str) -> list[Object]: ...

    async def create_claim(self, body: Object) -> Object: ...

    async def get_claim(self, name: str) -> Object | None: ...

    async def list_claims(self, selector: str) -> list[Object]: ...

    async def delete_claim(self, name: str) -> None: ...

    async def find_missing(self, rights: Iterable[Right]) -> list[Right]:
        """Give those of ``rights`` that this process does not have."""

    async def create_daemon_set(self, body: Object) -> Object: ...

    async def list_daemon_sets(self, selector: str) -> list[Object]: ...

    async def delete_daemon_set(self, name: str) -> None: ...

    async def close(self) -> None: ...


async def list_pages(calls: Calls, selector: str) -> AsyncIterator[Page]:
    """Read all Pods, page by page: as many as there are do not fit into memory."""
    page = await calls.list_pods(selector)
    yield page
    while page.rest:
        page = await _read_on(calls, selector, page.rest)
        yield page


async def _read_on(calls: Calls, selector: str, rest: str) -> Page:
    """Read a page that is not the first, with patience: of a list of a hundred pages, of which one
    in a hundred fails, hardly one would ever come to its end."""
    for attempt in range(PAGE_ATTEMPTS - 1):
        try:
            return await calls.list_pods(selector, rest)
        except (Away, Broken):
            await asyncio.sleep(pause(attempt))
    return await calls.list_pods(selector, rest)


class ApiCalls:
    """The calls over a connection."""

    def __init__(self, connection: Connection) -> None:
        self.namespace = connection.namespace
        self._connection = connection
        self._pods = f"/api/v1/namespaces/{self.namespace}/pods"
        self._claims = f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims"
        self._events = f"/api/v1/namespaces/{self.namespace}/events"
        self._daemon_sets = f"/apis/apps/v1/namespaces/{self.namespace}/daemonsets"

    async def create_pod(self, body: Object, *, dry_run: bool = False) -> Object:
        """Create a Pod, of which every field has to be known; give it as it is then."""
        return await self._create(self._pods, body, {"dryRun": "All"} if dry_run else {})

    async def get_pod(self, name: str) -> Object | None:
        """Read a Pod."""
        return await self._get(self._pods, name)

    async def list_pods(self, selector: str, rest: str = "") -> Page:
        """Read a page of Pods, all as of the first one."""
        query = {"labelSelector": selector, "limit": str(PAGE_SIZE)}
        if rest:
            query["continue"] = rest
        page = (await self._connection.ask("GET", self._pods, query)).json()
        metadata = page.get("metadata") or {}
        version = metadata.get("resourceVersion") or ""
        return Page(page.get("items") or [], version, metadata.get("continue") or "")

    async def watch_pods(self, selector: str, version: str) -> AsyncIterator[Event]:
        """Watch Pods."""
        query = {
            "labelSelector": selector,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        async with self._connection.stream(self._pods, query, SILENCE_SECONDS) as pieces:
            yield Event(OPENED, {})
            async for line in _lines(pieces):
                yield _read_event(line)

    async def delete_pod(
        self, name: str, grace_seconds: int, *, uid: str = "", version: str = ""
    ) -> bool:
        """Delete a Pod."""
        options: dict[str, Any] = {"gracePeriodSeconds": grace_seconds}
        wanted = {"uid": uid, "resourceVersion": version}
        if wanted := {name: value for name, value in wanted.items() if value}:
            options["preconditions"] = wanted
        try:
            return await self._delete(self._pods, name, options)
        except Throttled as fault:
            # There are conflicts of other kinds.
            if wanted and _PRECONDITION in fault.words.lower():
                raise Moved(fault.words) from fault
            raise

    async def read_log(self, name: str, container: str, lines: int) -> str | None:
        """Read the last lines of a container."""
        query = {
            "container": container,
            "tailLines": str(lines),
            "limitBytes": str(MAX_LOG_BYTES),
        }
        answer = await self._connection.ask("GET", f"{self._pods}/{name}/log", query)
        # 400: the container has not begun.
        if answer.status in (400, 404):
            return None
        if answer.status >= 400:
            raise fault_of(answer.status, answer.body, answer.retry_after)
        return answer.body.decode("utf-8", "replace")

    async def list_events(self, pod: str) -> list[Object]:
        """Read what was told of a Pod, unsorted."""
        selector = f"involvedObject.kind=Pod,involvedObject.name={pod}"
        query = {"fieldSelector": selector, "limit": str(PAGE_SIZE)}
        answer = await self._connection.ask("GET", self._events, query, seconds=EVENTS_SECONDS)
        return _items(answer.json())

    async def create_claim(self, body: Object) -> Object:
        """Create a claim."""
        return await self._create(self._claims, body, {})

    async def get_claim(self, name: str) -> Object | None:
        """Read a claim."""
        return await self._get(self._claims, name)

    async def list_claims(self, selector: str) -> list[Object]:
        """Read the claims."""
        return await self._list(self._claims, selector)

    async def delete_claim(self, name: str) -> None:
        """Have a claim deleted; the cluster waits for the last Pod that has it."""
        await self._delete(self._claims, name, {})

    async def find_missing(self, rights: Iterable[Right]) -> list[Right]:
        """Ask for rights."""
        return await find_missing(self._connection, rights)

    async def create_daemon_set(self, body: Object) -> Object:
        """Create a DaemonSet."""
        return await self._create(self._daemon_sets, body, {})

    async def list_daemon_sets(self, selector: str) -> list[Object]:
        """Read the DaemonSets."""
        return await self._list(self._daemon_sets, selector)

    async def delete_daemon_set(self, name: str) -> None:
        """Have a DaemonSet and its Pods deleted."""
        await self._delete(self._daemon_sets, name, {"propagationPolicy": "Background"})

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def _create(self, path: str, body: Object, query: dict[str, str]) -> Object:
        # A field that is not known would be dropped in silence otherwise.
        query = {"fieldValidation": "Strict", **query}
        created: Object = (await self._connection.ask("POST", path, query, body)).json()
        return created

    async def _get(self, path: str, name: str) -> Object | None:
        try:
            found: Object = (await self._connection.ask("GET", f"{path}/{name}")).json()
        except NotThere:
            return None
        return found

    async def _list(self, path: str, selector: str) -> list[Object]:
        query = {"labelSelector": selector}
        return _items((await self._connection.ask("GET", path, query)).json())

    async def _delete(self, path: str, name: str, options: dict[str, Any]) -> bool:
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        answer = await self._connection.ask("DELETE", f"{path}/{name}", None, body)
        if answer.status < 400:
            return True
        fault = fault_of(answer.status, answer.body, answer.retry_after)
        if isinstance(fault, NotThere):
            return False
        raise fault


def _items(body: Any) -> list[Object]:
    return list(body.get("items") or ())


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line:
                yield line


def _read_event(line: bytes) -> Event:
    try:
        event = DECODER.decode(line.decode())
        kind, content = event["type"], event["object"]
        version = kind == "ERROR" or content["metadata"]["resourceVersion"]
        if not version:
            raise ValueError("an object without a version")
    except (LookupError, TypeError, ValueError):
        words = line.decode("utf-8", "replace")[:200]
        raise Away(f"the API server told something in a watch that is no event: {words}") from None
    if kind == "ERROR":
        raise fault_of_event(content)
    return Event(kind, content)
