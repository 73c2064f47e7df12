"""The numbered events of a try that the control plane has not acknowledged yet.

Bounded: when the control plane cannot take the log, the log loses lines and says so; a
verdict is never dropped.
"""

import time

from leoflow_agent.compactjson import quote

MAX_LOG_BYTES = 8 * 1024 * 1024
MAX_BATCH_BYTES = 256 * 1024


class Outbox:
    """Events as JSON text in order; each keeps its number for ever, ``last`` is the newest one."""

    def __init__(self) -> None:
        self.last = 0
        self._events: list[tuple[int, str, int]] = []
        self._log_bytes = 0
        self._dropped_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._events)

    def holds(self, seq: int) -> bool:
        """Tell whether the event ``seq`` or an earlier one is not acknowledged yet."""
        return bool(self._events) and self._events[0][0] <= seq

    def add(self, kind: str, fields: str = "", weight: int = 0) -> None:
        """Append an event; ``fields`` is the inside of a JSON object or nothing."""
        self.last += 1
        event = f'{{"seq":{self.last},"at":{time.time():.6f},"type":"{kind}"'
        self._events.append((self.last, event + ("," + fields if fields else "") + "}", weight))

    def add_log(self, stream: str, text: str) -> None:
        """Append a piece of the log, or count it as dropped while there is no room."""
        size = len(text)
        if self._log_bytes + size > MAX_LOG_BYTES:
            self._dropped_bytes += size
            return
        if self._dropped_bytes:
            self._confess()
        self._log_bytes += size
        self.add("log", f'"stream":"{stream}","text":{quote(text)}', size)

    def finish(self, fields: str) -> None:
        """Append the verdict, after what has to be said of the log."""
        if self._dropped_bytes:
            self._confess()
        self.add("finished", fields)

    def _confess(self) -> None:
        text = f"leoflow: {self._dropped_bytes} bytes of the log were dropped here, "
        text += "the control plane could not take them in time\n"
        self._dropped_bytes = 0
        self.add("log", f'"stream":"stderr","text":{quote(text)}')

    def batch(self) -> str:
        """Return the oldest events as a JSON list, at least one and at most MAX_BATCH_BYTES."""
        size = 0
        chosen: list[str] = []
        for _, event, _ in self._events:
            size += len(event)
            if chosen and size > MAX_BATCH_BYTES:
                break
            chosen.append(event)
        return "[" + ",".join(chosen) + "]"

    def acknowledge(self, seq: int) -> None:
        """Forget every event up to and including ``seq``."""
        kept = 0
        while kept < len(self._events) and self._events[kept][0] <= seq:
            self._log_bytes -= self._events[kept][2]
            kept += 1
        del self._events[:kept]
