"""The stream in which an engine tells of containers that end. Blocking: for a thread of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from leoflow_controlplane.executor.docker.fault import translated

LOCK_SECONDS = 2.0


class EventStream:
    """One stream at a time, from ``client``; another thread may close it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._stream: Any = None
        self._closing = False
        self._lock = threading.Lock()

    def follow(
        self, labels: Sequence[str], opened: Callable[[], Any], take: Callable[[str, str], Any]
    ) -> None:
        """See `Engine.listen`."""
        filters = {"type": "container", "event": ["die", "oom"], "label": list(labels)}
        with translated():
            with self._lock:
                if self._closing:
                    return
                self._stream = self._client.events(filters=filters)
            opened()
            for event in _events(self._stream):
                take(event["Actor"]["Attributes"]["name"], event["Action"])

    def close(self) -> None:
        """End `follow`, which then returns, and let no other begin."""
        self._closing = True
        # An engine that hangs while a stream is opened must not hold the end up.
        if self._lock.acquire(timeout=LOCK_SECONDS):
            self._lock.release()
        if self._stream is not None:
            with suppress(Exception):
                self._stream.close()


def _events(stream: Any) -> Iterator[dict[str, Any]]:
    rest = b""
    for chunk in stream:
        rest += chunk
        *lines, rest = rest.split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())
