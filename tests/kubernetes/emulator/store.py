"""The objects of a cluster with one revision for all, as etcd has them. Knows no HTTP.

An object is never changed, only put in place of: who holds one holds it as it was.
"""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Object = dict[str, Any]


class Key(NamedTuple):
    """Names an object. ``namespace`` is empty for what belongs to the whole cluster."""

    resource: str
    namespace: str
    name: str


class Change(NamedTuple):
    """What happened to an object ``at`` an instant of a clock that only goes on; ``line`` is how a
    watch writes it, and ``before`` what it was, None if there was none."""

    revision: int
    kind: str
    key: Key
    object: Object
    line: bytes
    at: float
    before: Object | None


class Store:
    """Holds objects and the last ``remembered`` changes; what is older is compacted."""

    def __init__(self, remembered: int = 10_000) -> None:
        self.revision = 1000
        self.floor = self.revision
        self._objects: dict[Key, Object] = {}
        self._changes: list[Change] = []
        self._remembered = remembered
        self._listeners: set[asyncio.Queue[Change]] = set()
        self._followers: list[Callable[[Change], None]] = []

    def get(self, key: Key) -> Object | None:
        """Give an object as it is now."""
        return self._objects.get(key)

    def all(self, resource: str, namespace: str = "") -> Iterator[Object]:
        """Give all objects of a kind in the order of their names, of one namespace or of all."""
        for key in sorted(key for key in self._objects if key.resource == resource):
            if namespace in ("", key.namespace):
                yield self._objects[key]

    def put(self, key: Key, item: Object) -> Object:
        """Write an object and tell of it; give it with its new resourceVersion."""
        kind = "MODIFIED" if key in self._objects else "ADDED"
        return self._tell(kind, key, item)

    def drop(self, key: Key) -> Object:
        """Remove an object and tell of it; give it as it was last."""
        return self._tell("DELETED", key, self._objects[key])

    def _tell(self, kind: str, key: Key, item: Object) -> Object:
        self.revision += 1
        metadata = {**item["metadata"], "resourceVersion": str(self.revision)}
        item, before = {**item, "metadata": metadata}, self._objects.get(key)
        if kind == "DELETED":
            del self._objects[key]
        else:
            self._objects[key] = item
        line = json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode() + b"\n"
        change = Change(self.revision, kind, key, item, line, time.monotonic(), before)
        self._changes.append(change)
        if len(self._changes) > 2 * self._remembered:
            self.compact(self._changes[-self._remembered].revision - 1)
        for queue in self._listeners:
            queue.put_nowait(change)
        for follower in self._followers:
            follower(change)
        return item

    def compact(self, revision: int | None = None) -> None:
        """Forget what happened up to ``revision``, by default everything."""
        self.floor = self.revision if revision is None else revision
        del self._changes[: self._after(self.floor)]

    def since(self, revision: int) -> list[Change]:
        """Give the changes after ``revision``, which must not be compacted."""
        return self._changes[self._after(revision) :]

    def listen(self) -> asyncio.Queue[Change]:
        """Give a queue that gets every change from now on, until `ignore`."""
        queue: asyncio.Queue[Change] = asyncio.Queue()
        self._listeners.add(queue)
        return queue

    def ignore(self, queue: asyncio.Queue[Change]) -> None:
        """End what `listen` began."""
        self._listeners.discard(queue)

    def follow(self, follower: Callable[[Change], None]) -> None:
        """Call ``follower`` with every change from now on."""
        self._followers.append(follower)

    def _after(self, revision: int) -> int:
        return bisect_right(self._changes, revision, key=lambda change: change.revision)
