"""The task's side of XCom: values are pushed and pulled through the supervisor's pipes.

Imported only for tasks that ask for ``ti``. The token stays in the supervisor.
"""

import _thread
import posix
import select
import sys
import time

from leoflow_agent import compactjson, termination
from leoflow_agent.child import PULL, XCOM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow_agent.child import Messages

LONGEST_KEY = 512
HEADER_BYTES = 4
_LOOK_UP_MILLISECONDS = 200
_PAUSE_SECONDS = 1.0


class Exchange:
    """Pushes and pulls for one task; every thread may use it, one at a time."""

    def __init__(self, messages: "Messages", inputs_fd: int, limit_bytes: int) -> None:
        self._messages = messages
        self._inputs_fd = inputs_fd
        self._limit_bytes = limit_bytes
        self._turn = _thread.allocate_lock()
        self._buffer = b""
        # Answers that a task which was interrupted did not wait for are still to come.
        self._owed = 0

    def is_here(self) -> bool:
        """Tell whether this is the task's own process and not a fork of it."""
        return posix.getpid() == self._messages.pid

    def push(self, key: str, value: object) -> None:
        """Leave a value; TypeError or ValueError if it cannot be kept."""
        _check_key(key)
        try:
            document = compactjson.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            from leoflow_agent.jsonhint import first_not_json

            where = first_not_json(value, "value") or error
            raise TypeError(f"the value of '{key}' is not JSON: {where}") from None
        if len(document) > self._limit_bytes:
            raise ValueError(
                f"the value of '{key}' is {len(document)} bytes of JSON, the limit is "
                f"{self._limit_bytes}; write it to a file or a store and push where it is"
            )
        quoted = compactjson.quote(key)
        self._messages.send((XCOM, f'{{"key":{quoted},"value":{document}}}'))

    def pull(self, task_id: str, key: str, map_index: int, default: "Any") -> "Any":
        """Ask for a value and wait for the answer; LookupError if there is no such task."""
        _check_key(key)
        if not isinstance(task_id, str):
            raise TypeError(f"task_ids holds {task_id!r}, a task_id is text")
        question = compactjson.dumps({"task_id": task_id, "key": key, "map_index": map_index})
        with self._turn:
            answer = self._pull(question)
        if answer.get("error") is not None:
            raise LookupError(answer["error"])
        return default if answer["value"] is None else answer["value"]

    def _pull(self, question: str) -> "dict[str, Any]":
        while True:
            self._ask(question)
            try:
                answer: Any = compactjson.loads(self._answer().decode())
                if "value" in answer or "error" in answer:
                    return answer  # type: ignore[no-any-return]
            except (ValueError, RecursionError):
                pass
            sys.stderr.write("leoflow: the answer to ti.xcom_pull is not understood; again\n")
            time.sleep(_PAUSE_SECONDS)

    def _ask(self, question: str) -> None:
        termination.hold(self._messages)
        try:
            self._messages.send((PULL, question))
            self._owed += 1
        finally:
            termination.release(self._messages)

    def _answer(self) -> bytes:
        ready = select.poll()
        ready.register(self._inputs_fd, select.POLLIN)
        while True:
            document = self._next(ready)
            if document is not None and self._owed == 0:
                return document
            if document is None:
                # Where the signal cannot raise, in another thread, this has to look.
                termination.check(self._messages)
                ready.poll(_LOOK_UP_MILLISECONDS)

    def _next(self, ready: "select.poll") -> "bytes | None":
        """Return the next answer if it is there, without waiting for it."""
        termination.hold(self._messages)
        try:
            document = self._cut()
            if document is None and ready.poll(0):
                self._read()
                document = self._cut()
            return document
        finally:
            termination.release(self._messages)

    def _cut(self) -> "bytes | None":
        end = HEADER_BYTES + int.from_bytes(self._buffer[:HEADER_BYTES], "big")
        if len(self._buffer) < max(end, HEADER_BYTES):
            return None
        document, self._buffer = self._buffer[HEADER_BYTES:end], self._buffer[end:]
        self._owed -= 1
        return document

    def _read(self) -> None:
        chunk = posix.read(self._inputs_fd, 262144)
        if not chunk:
            raise RuntimeError("the agent went away before it had answered")
        self._buffer += chunk


def _check_key(key: str) -> None:
    if not isinstance(key, str):
        raise TypeError(f"an XCom's key is text, not {key!r}")
    if not 0 < len(key) <= LONGEST_KEY:
        raise ValueError(f"an XCom's key has 1 to {LONGEST_KEY} characters, not {len(key)}")
