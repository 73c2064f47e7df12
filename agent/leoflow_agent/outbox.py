"""The numbered events of a try that the control plane has not acknowledged yet.

Bounded: when the control plane cannot take the log, the log loses lines and says so; a
verdict is never dropped.
"""

import time

from leoflow_agent.compactjson import quote

# As JSON. Between the two the task may be made to wait; beyond the second the log loses lines.
FULL_LOG_BYTES = 6 * 1024 * 1024
MAX_LOG_BYTES = 8 * 1024 * 1024
# Less than the megabyte that a proxy takes without being told to take more.
MAX_BATCH_BYTES = 768 * 1024


class Outbox:
    """Events as JSON text in order; each keeps its number for ever, ``last`` is the newest one."""

    def __init__(self) -> None:
        self.last = 0
        self._events: list[tuple[int, str, int]] = []
        self._sent = 0
        self._log_bytes = 0
        self._lost_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._events)

    @property
    def is_full(self) -> bool:
        """Tell whether more of the log should wait, if it can."""
        return self._log_bytes > FULL_LOG_BYTES

    def holds(self, seq: int) -> bool:
        """Tell whether the event ``seq`` or an earlier one is not acknowledged yet."""
        return bool(self._events) and self._events[0][0] <= seq

    def add(self, kind: str, fields: str = "") -> None:
        """Append an event, after what has to be said of lines that were lost before it.

        ``fields`` is the inside of a JSON object or nothing.
        """
        if self._lost_bytes:
            from leoflow_agent import notice

            text, self._lost_bytes = notice.dropped(self._lost_bytes), 0
            self.add("log", f'"stream":"stderr","text":{quote(text)}')
        self.last += 1
        event = f'{{"seq":{self.last},"at":{time.time():.6f},"type":"{kind}"'
        event += "," + fields + "}" if fields else "}"
        weight = len(event) if kind == "log" else 0
        self._log_bytes += weight
        self._events.append((self.last, event, weight))

    def add_log(self, stream: str, text: str, size_bytes: int) -> None:
        """Append a piece of the log, or count its ``size_bytes`` as lost while there is no room."""
        if self._log_bytes > MAX_LOG_BYTES:
            self._lost_bytes += size_bytes
            return
        self.add("log", f'"stream":"{stream}","text":{quote(text)}')

    def batch(self) -> str:
        """Return the oldest events as a JSON list, at least one and at most MAX_BATCH_BYTES."""
        size = 0
        chosen: list[str] = []
        for seq, event, _ in self._events:
            size += len(event)
            if chosen and size > MAX_BATCH_BYTES:
                break
            chosen.append(event)
            self._sent = seq
        return "[" + ",".join(chosen) + "]"

    def acknowledge(self, seq: int) -> None:
        """Forget every event up to ``seq``; ValueError if the last batch does not hold it."""
        if not self.holds(seq) or seq > self._sent:
            raise ValueError(f"it acknowledges event {seq!r}, which was not sent")
        kept = 0
        while kept < len(self._events) and self._events[kept][0] <= seq:
            self._log_bytes -= self._events[kept][2]
            kept += 1
        del self._events[:kept]
