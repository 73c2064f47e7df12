"""What the task asks of the control plane through the supervisor: its inputs, XComs of others.

Imported only for a task that asks. Knows nothing of connections.
"""

import posix
import time

from leoflow_agent import compactjson
from leoflow_agent.stream import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from leoflow_agent.outbox import Outbox
    from leoflow_agent.stream import Stream
    from leoflow_agent.task import Task

INPUTS_PATH, XCOM_PATH = "/agent/v1/inputs", "/agent/v1/xcom"
TRY_IS_OVER = (401, 409, 426)
# That this agent has started: who gets the inputs is known to look after the try, and no other is.
STARTED_SEQ = 1


class Inquiry:
    """Questions in their order, and their answers on the way to the task's process.

    ``waiting`` is what the pipe ``fd`` has not taken yet. ``streams`` are the task's, which the
    secrets in its inputs are kept out of.
    """

    def __init__(self, fd: int, outbox: "Outbox", streams: "Iterable[Stream]") -> None:
        self.fd = fd
        self.waiting = b""
        self._outbox = outbox
        self._streams = streams
        self._questions: list[tuple[str, int]] = []
        self._waiting_task: Task | None = None
        posix.set_blocking(fd, False)

    def __bool__(self) -> bool:
        return bool(self._questions)

    def ask_inputs(self, task: "Task") -> None:
        """Ask for what the task's function is called with, once it is acknowledged that this agent
        has started. The time that ``task`` may take counts from when it is here."""
        self._waiting_task = task
        task.deadline = NEVER
        self._questions.append((INPUTS_PATH, STARTED_SEQ))

    def ask_xcom(self, wanted: "dict[str, Any]") -> None:
        """Ask for an XCom, once what the task pushed before, it may be that, is reported."""
        query = "&".join(f"{name}={_quote(str(value))}" for name, value in wanted.items())
        self._questions.append((f"{XCOM_PATH}?{query}", self._outbox.last))

    def path(self) -> "str | None":
        """Return what to request next, None if there is nothing or it is not time for it."""
        if not self._questions or self._outbox.holds(self._questions[0][1]):
            return None
        return self._questions[0][0]

    def take(self, document: bytes) -> None:
        """Hand an answer on; ValueError if it cannot be one."""
        if document[:1] != b"{":
            raise ValueError("it is no JSON object")
        del self._questions[0]
        if self._waiting_task is not None:
            _start_clock(self._waiting_task)
            self._waiting_task = None
        if b'"AIRFLOW_' in document:
            from leoflow_agent import mask

            # What the task is given in confidence stays out of its output.
            for stream in self._streams:
                stream.mask = stream.mask or mask.of_inputs(document)
        self.waiting += len(document).to_bytes(4, "big") + document
        self.write()

    def decline(self, status: int, text: str) -> bool:
        """Tell the task that its question was refused; False if it is the try that was."""
        if status in TRY_IS_OVER or self._questions[0][0] == INPUTS_PATH:
            return False
        said = compactjson.quote(f"the control plane answered with {status}: {text}")
        self.take(f'{{"error":{said}}}'.encode())
        return True

    def write(self) -> None:
        """Write what the task's process takes of its answers."""
        try:
            self.waiting = self.waiting[posix.write(self.fd, self.waiting) :]
        except BlockingIOError:
            return
        except OSError:
            self.waiting = b""


def _start_clock(task: "Task") -> None:
    limit = task.workload["execution_timeout_seconds"]
    if limit is not None and task.stopped is None:
        task.deadline = time.monotonic() + limit


def _quote(text: str) -> str:
    return "".join(
        chr(byte) if byte < 128 and chr(byte).isalnum() else f"%{byte:02X}"
        for byte in text.encode("utf-8", "replace")
    )
