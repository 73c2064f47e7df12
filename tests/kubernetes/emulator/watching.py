"""Watches: changes from a version on, bookmarks, an end by time, and what goes wrong with them."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiohttp import web

from emulator.listing import check_version
from emulator.refusal import Refusal
from emulator.resource import Resource
from emulator.selector import read_selectors
from emulator.store import Change, Key, Object, Store

Query = Mapping[str, str]
END = "k8s.io/initial-events-end"
LONGEST_SECONDS = 1800.0
HELD_SECONDS = 0.05


class Told(NamedTuple):
    """What a watch writes. ``key`` is None for what is of no object; ``at`` is when it happened."""

    key: Key | None
    line: bytes
    at: float = 0.0


class Watch:
    """One watch, from its first event to its end."""

    def __init__(
        self, store: Store, resource: Resource, namespace: str, query: Query, bookmarks: float
    ) -> None:
        self._store = store
        self._resource = resource
        self._namespace = namespace
        self._query = query
        self._bookmark_seconds = bookmarks if query.get("allowWatchBookmarks") == "true" else None
        self._matches = read_selectors(
            query.get("labelSelector", ""), query.get("fieldSelector", "")
        )

    async def stream(
        self, request: web.Request, faults: dict[str, float], lot: random.Random
    ) -> web.StreamResponse:
        """Answer with events until the time is over, the client leaves or a fault ends it."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        queue = self._store.listen()
        try:
            first = self._first()
            await response.prepare(request)
            line = _Line(response, faults, lot)
            for item in first:
                await line.send(item)
            loop = asyncio.get_running_loop()
            until = loop.time() + float(self._query.get("timeoutSeconds") or LONGEST_SECONDS)
            while not line.is_cut and (left := until - loop.time()) > 0:
                await self._next(queue, line, left)
            # Also before a cut: from the version that a client saw last nothing may be missing.
            await line.flush()
        except ConnectionResetError:
            # The client has left.
            return response
        except Refusal as refusal:
            await response.prepare(request)
            status = json.dumps({"type": "ERROR", "object": refusal.status()})
            await response.write(status.encode() + b"\n")
            return response
        finally:
            self._store.ignore(queue)
        if line.is_cut and request.transport is not None:
            request.transport.close()
        return response

    def _first(self) -> list[Told]:
        """Give what a watch begins with: what has changed since a version, or all there is."""
        store, wanted = self._store, self._query.get("resourceVersion", "")
        initial = self._query.get("sendInitialEvents") == "true"
        revision = check_version(store, wanted)
        if revision is not None and not initial:
            if revision < store.floor:
                words = f"too old resource version: {revision} ({store.floor + 1})"
                raise Refusal(410, "Expired", words)
            return list(filter(None, map(self._tell, store.since(revision))))
        found: list[Told] = []
        for item in store.all(self._resource.plural, self._namespace):
            if self._matches(item):
                metadata = item["metadata"]
                key = Key(self._resource.plural, metadata.get("namespace", ""), metadata["name"])
                found.append(Told(key, _event("ADDED", item)))
        if initial:
            found.append(Told(None, self._bookmark(store.revision, {END: "true"})))
        return found

    async def _next(self, queue: asyncio.Queue[Change], line: _Line, left: float) -> None:
        try:
            async with asyncio.timeout(min(left, self._bookmark_seconds or left, line.patience)):
                change = await queue.get()
        except TimeoutError:
            await line.flush()
            if self._bookmark_seconds is not None:
                await line.send(Told(None, self._bookmark(self._store.revision)))
            return
        if told := self._tell(change):
            await line.send(told)

    def _tell(self, change: Change) -> Told | None:
        """Tell a change if it is wanted. What is not selected any more is deleted to who selects,
        and told as it was."""
        key, before = change.key, change.before
        if key.resource != self._resource.plural or self._namespace not in ("", key.namespace):
            return None
        was = before is not None and self._matches(before)
        if change.kind == "DELETED" or self._matches(change.object) == was:
            return Told(key, change.line, change.at) if was else None
        if before is None:
            return Told(key, change.line, change.at)
        item = change.object
        if was:
            version = {"resourceVersion": str(change.revision)}
            item = {**before, "metadata": {**before["metadata"], **version}}
        return Told(key, _event("DELETED" if was else "ADDED", item), change.at)

    def _bookmark(self, revision: int, annotations: dict[str, str] | None = None) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        kind, version = self._resource.kind, self._resource.api_version
        return _event("BOOKMARK", {"kind": kind, "apiVersion": version, "metadata": metadata})


class _Line:
    """Writes events, and is where faults come between."""

    def __init__(
        self, response: web.StreamResponse, faults: dict[str, float], lot: random.Random
    ) -> None:
        self._response = response
        self._faults = faults
        self._lot = lot
        self._sent = 0
        self._held: list[Told] = []

    @property
    def is_cut(self) -> bool:
        """Whether the connection is to end without a word."""
        return self._sent >= self._faults.get("cut", float("inf"))

    @property
    def patience(self) -> float:
        """How long what is held back may be."""
        return HELD_SECONDS if self._held else LONGEST_SECONDS

    async def send(self, told: Told) -> None:
        """Write an event, or what becomes of it."""
        if told.key is None or any(held.key == told.key for held in self._held):
            await self.flush()
        elif self._happens("mixed"):
            self._held.append(told)
            return
        await self._write(told)
        if told.key is not None and self._happens("twice"):
            await self._write(told)

    async def flush(self) -> None:
        """Write what was held back."""
        held, self._held = self._held, []
        for told in held:
            await self._write(told)

    async def _write(self, told: Told) -> None:
        # From when it happened: a watch that adds up delays is soon minutes behind.
        due = told.at + self._lot.uniform(0, self._faults.get("late", 0.0))
        if (left := due - time.monotonic()) > 0:
            await asyncio.sleep(left)
        if self._sent < self._faults.get("silent", float("inf")):
            await self._response.write(told.line)
        self._sent += 1

    def _happens(self, kind: str) -> bool:
        chance = self._faults.get(kind)
        return chance is not None and self._lot.random() < chance


def _event(kind: str, item: Object) -> bytes:
    return json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode() + b"\n"
