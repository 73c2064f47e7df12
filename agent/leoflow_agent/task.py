"""The task's process seen from outside: its output, its messages and its end.

Turns them into events in the outbox; does not talk to the control plane.
"""

import _signal
import posix
import select
import time

from leoflow_agent import compactjson
from leoflow_agent.child import ENTERED, FINISHED, PULL, XCOM
from leoflow_agent.stream import NEVER, STANDSTILL_SECONDS, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow_agent.echo import Echo
    from leoflow_agent.inquiry import Inquiry
    from leoflow_agent.outbox import Outbox
    from leoflow_agent.wire import Workload

# As in exitcode, which may not be loaded.
SUCCESS, AGENT_FAILED = 0, 126
HEADER_BYTES = 5
LONGEST_WAIT_SECONDS = 3600.0


class Task:
    """One process and all that it started.

    ``over``: it said how it ended, or it is ``gone``; ``verdict`` is then its state and the reason.
    ``deadline``, of the monotonic clock, and ``stopped`` are for ``stopping``; ``inquiry`` is None
    until the task asks.
    """

    def __init__(
        self, workload: "Workload", pid: int, pipes: "tuple[int, int, int, int]", outbox: "Outbox"
    ) -> None:
        self.over = self.gone = False
        self.exit_code = AGENT_FAILED
        self.verdict: tuple[str, str | None] = ("failed", "the agent came to no verdict")
        self.workload = workload
        self.pid = pid
        self.inquiry: Inquiry | None = None
        self.stopped: tuple[int, str] | None = None
        limit = workload["execution_timeout_seconds"]
        self.deadline = NEVER if limit is None else time.monotonic() + limit
        self._outbox = outbox
        self._stdout = Stream("stdout", pipes[0], 1, outbox)
        self._stderr = Stream("stderr", pipes[1], 2, outbox)
        self._streams = (self._stdout, self._stderr)
        self._open = {pipes[0]: self._stdout.read, pipes[1]: self._stderr.read}
        self._open[pipes[2]] = self._read_messages
        self._messages, self._inputs = pipes[2], pipes[3]
        posix.set_blocking(self._messages, False)
        self._frames = b""
        self._told: dict[str, Any] | None = None
        if workload["job"]["kind"] == "bash":
            from leoflow_agent import bash_output

            self._stdout.last_line = bash_output.LastLine(workload["xcom_limit_bytes"])
        if workload["inputs"] is None:
            self._inquire().ask_inputs(self)

    def interests(self, now: float, hold: bool) -> "list[tuple[int, int]]":
        """Return the descriptors to poll, with their events; ``hold``: not the task's output."""
        slow = [one.fd for one in self._streams if hold or (one.echo and one.echo.is_slow(now))]
        found = [(fd, select.POLLIN) for fd in self._open if fd not in slow]
        found += [(echo.fd, select.POLLOUT) for echo in self._echoes() if echo.waiting]
        if self.inquiry is not None and self.inquiry.waiting:
            found.append((self._inputs, select.POLLOUT))
        return found

    def take(self, fd: int) -> bool:
        """Serve ``fd``, which polled ready, once; False if it is none of this task's."""
        if fd in self._open:
            if self._open[fd]() is False:
                del self._open[fd]
            if self._told is not None:
                # All that is left is to take it down, and a report need not wait for that.
                self._end(0)
        elif self.inquiry is not None and fd == self._inputs:
            self.inquiry.write()
        else:
            found = [echo for echo in self._echoes() if echo.fd == fd]
            for echo in found:
                echo.write()
            return bool(found)
        return True

    def is_copying(self, now: float) -> bool:
        """Tell whether the container's own output still has to take something, and does."""
        return any(echo.is_slow(now) for echo in self._echoes())

    def seconds_to_wait(self, now: float) -> float:
        """Return how long the poll loop may sleep before a deadline has to be kept."""
        due = [self.deadline, *(stream.due_at for stream in self._streams)]
        if any(echo.waiting for echo in self._echoes()):
            due.append(now + STANDSTILL_SECONDS)
        return min(max(min(due) - now, 0.0), LONGEST_WAIT_SECONDS)

    def keep_deadlines(self, now: float) -> None:
        """Do what is due by now: show a line without an end, stop or kill a task."""
        for stream in self._streams:
            if now >= stream.due_at:
                stream.show_unfinished()
        if now >= self.deadline:
            from leoflow_agent import stopping

            stopping.keep_deadline(self, now)

    def reap(self) -> None:
        """Collect every process that has ended; as PID 1 that includes orphans."""
        while True:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.gone = True
                try:
                    posix.killpg(self.pid, _signal.SIGKILL)
                except OSError:
                    pass
                if not self.over:
                    self._end(status)

    def _end(self, wait_status: int) -> None:
        left = time.time()
        while self._read_messages():
            pass
        self._stdout.finish()
        self._stderr.finish()
        self._open.clear()
        if self.inquiry is not None:
            self.inquiry.waiting = b""
        if self._told is not None and self._told["state"] == "success":
            state, reason, self.exit_code = "success", None, SUCCESS
        else:
            from leoflow_agent.verdict import judge

            kind = self.workload["job"]["kind"]
            state, reason, self.exit_code = judge(kind, wait_status, self._told, self.stopped)
        if self._stdout.last_line is not None and state == "success":
            state, reason, self.exit_code = self._stdout.last_line.push(self._outbox)
        if state == "success" and b"LEOFLOW_STAGING" in posix.environ:
            from leoflow_agent import staging

            state, reason, self.exit_code = staging.judge()
        self.verdict = (state, reason)
        if self._told is not None:
            left = self._told["left"]
        said = "null" if reason is None else compactjson.quote(reason)
        end = f'"state":"{state}","reason":{said},"exit_code":{self.exit_code},"left":{left:.6f}'
        if self._told is not None and self.stopped is None and "retryable" in self._told:
            end += ',"retryable":false'
        self._outbox.add("finished", end)
        self.deadline = NEVER if self.gone else time.monotonic() + self.workload["grace_seconds"]
        self.over = True

    def _read_messages(self) -> "bool | None":
        try:
            chunk = posix.read(self._messages, 262144)
        except BlockingIOError:
            return None
        self._frames += chunk
        while len(self._frames) >= HEADER_BYTES:
            end = HEADER_BYTES + int.from_bytes(self._frames[1:HEADER_BYTES], "big")
            if len(self._frames) < end:
                break
            self._heed(self._frames[:1], self._frames[HEADER_BYTES:end].decode())
            self._frames = self._frames[end:]
        return bool(chunk)

    def _heed(self, kind: bytes, document: str) -> None:
        if kind == ENTERED:
            self._outbox.add("entered", document[1:-1])
        elif kind == XCOM:
            self._outbox.add("xcom", document[1:-1])
        elif kind == PULL:
            self._inquire().ask_xcom(compactjson.loads(document))  # type: ignore[arg-type]
        elif kind == FINISHED:
            self._told = compactjson.loads(document)  # type: ignore[assignment]

    def _echoes(self) -> "list[Echo]":
        return [stream.echo for stream in self._streams if stream.echo]

    def _inquire(self) -> "Inquiry":
        if self.inquiry is None:
            from leoflow_agent import inquiry

            self.inquiry = inquiry.Inquiry(self._inputs, self._outbox, self._streams)
        return self.inquiry
