"""The task's process seen from outside: its output, its messages, its end and its deadlines.

Turns them into events in the outbox; does not talk to the control plane.
"""

import _signal
import posix
import select
import time

from leoflow_agent import compactjson, exitcode
from leoflow_agent.child import ENTERED, FINISHED, PULL, XCOM
from leoflow_agent.stream import NEVER, STANDSTILL_SECONDS, Stream
from leoflow_agent.verdict import judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow_agent.outbox import Outbox
    from leoflow_agent.wire import Workload

HEADER_BYTES = 5
LONGEST_WAIT_SECONDS = 3600.0


class Task:
    """One process and all that it started."""

    def __init__(
        self, workload: "Workload", pid: int, pipes: "tuple[int, int, int, int]", outbox: "Outbox"
    ) -> None:
        self.over = False
        self.exit_code = exitcode.AGENT_FAILED
        self.verdict: tuple[str, str | None] = ("failed", "the agent came to no verdict")
        self.pulls: list[dict[str, Any]] = []
        self._workload = workload
        self._pid = pid
        self._outbox = outbox
        keep_bytes = workload["xcom_limit_bytes"] if workload["job"]["kind"] == "bash" else 0
        self._stdout = Stream("stdout", pipes[0], 1, outbox, keep_bytes)
        self._stderr = Stream("stderr", pipes[1], 2, outbox)
        self._streams = (self._stdout, self._stderr)
        self._open = {pipes[0]: self._stdout.read, pipes[1]: self._stderr.read}
        self._open[pipes[2]] = self._read_messages
        self._messages, self._inputs = pipes[2], pipes[3]
        posix.set_blocking(self._messages, False)
        posix.set_blocking(self._inputs, False)
        self._frames = b""
        self._input = b""
        self._told: dict[str, Any] | None = None
        self._stopped: tuple[int, str] | None = None
        self._kill_at = NEVER
        limit = workload["execution_timeout_seconds"]
        self._deadline = NEVER if limit is None else time.monotonic() + limit

    def interests(self, now: float, hold: bool) -> "list[tuple[int, int]]":
        """Return the descriptors to poll, with their events; ``hold``: not the task's output."""
        slow = [stream.fd for stream in self._streams if hold or stream.copy.is_slow(now)]
        found = [(fd, select.POLLIN) for fd in self._open if fd not in slow]
        found += [(one.copy.fd, select.POLLOUT) for one in self._streams if one.copy.waiting]
        if self._input:
            found.append((self._inputs, select.POLLOUT))
        return found

    def take(self, fd: int) -> bool:
        """Serve ``fd``, which polled ready, once; False if it is none of this task's."""
        if fd in self._open:
            if self._open[fd]() is False:
                del self._open[fd]
        elif fd == self._inputs:
            self._write_inputs()
        else:
            copies = [one.copy for one in self._streams if one.copy.fd == fd]
            for copy in copies:
                copy.write()
            return bool(copies)
        return True

    def is_copying(self, now: float) -> bool:
        """Tell whether the container's own output still has to take something, and does."""
        return any(stream.copy.is_slow(now) for stream in self._streams)

    def give(self, document: bytes) -> None:
        """Hand an answer that the process waits for to it, as fast as it reads."""
        if b'"AIRFLOW_' in document:
            from leoflow_agent import mask

            # What the task is given in confidence stays out of its output.
            for stream in self._streams:
                stream.mask = stream.mask or mask.of_inputs(document)
        self._input += len(document).to_bytes(4, "big") + document
        self._write_inputs()

    def seconds_to_wait(self, now: float) -> float:
        """Return how long the poll loop may sleep before a deadline has to be kept."""
        due = [stream.due_at for stream in self._streams]
        due += [self._deadline, self._kill_at]
        if any(stream.copy.waiting for stream in self._streams):
            due.append(now + STANDSTILL_SECONDS)
        return min(max(min(due) - now, 0.0), LONGEST_WAIT_SECONDS)

    def keep_deadlines(self, now: float) -> None:
        """Stop a task that ran out of its time, kill one that ran out of its grace."""
        for stream in self._streams:
            if now >= stream.due_at:
                stream.show_unfinished()
        if now >= self._deadline:
            limit = self._workload["execution_timeout_seconds"]
            reason = f"timed out: it ran longer than execution_timeout_seconds = {limit:g}"
            self.stop(exitcode.TIMED_OUT, reason, now)
        if now >= self._kill_at:
            self._kill_at = NEVER
            self.signal(_signal.SIGKILL)

    def stop(self, exit_code: int, reason: str, now: float, signal: int = _signal.SIGTERM) -> None:
        """End the task: ``signal`` now, SIGKILL after the grace. The first reason given stays."""
        if self._stopped is None:
            self._stopped = (exit_code, reason)
            self._deadline = NEVER
            self._kill_at = now + self._workload["grace_seconds"]
            self.signal(signal)

    def signal(self, number: int) -> None:
        """Send a signal to the task's process group, to the process before it has one."""
        for send in (posix.killpg, posix.kill):
            try:
                if not self.over:
                    send(self._pid, number)
                return
            except OSError:
                continue

    def reap(self) -> None:
        """Collect every process that has ended; as PID 1 that includes orphans."""
        while True:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._end(status)

    def _end(self, wait_status: int) -> None:
        left = time.time()
        try:
            posix.killpg(self._pid, _signal.SIGKILL)
        except OSError:
            pass
        while self._read_messages():
            pass
        self._stdout.finish()
        self._stderr.finish()
        self._open.clear()
        self._input = b""
        kind = self._workload["job"]["kind"]
        state, reason, self.exit_code = judge(kind, wait_status, self._told, self._stopped)
        if kind == "bash" and state == "success":
            state, reason = self._push_last_line()
        self.verdict = (state, reason)
        if self._told is not None:
            left = self._told["left"]
        said = "null" if reason is None else compactjson.quote(reason)
        fields = f'"state":"{state}","reason":{said},"exit_code":{self.exit_code},"left":{left:.6f}'
        if self._told is not None and self._stopped is None and "retryable" in self._told:
            fields += ',"retryable":false'
        self._outbox.finish(fields)
        self._deadline = self._kill_at = NEVER
        self.over = True

    def _push_last_line(self) -> "tuple[str, str | None]":
        value = compactjson.quote(self._stdout.last_line.decode("utf-8", "replace"))
        limit = self._workload["xcom_limit_bytes"]
        if len(value) > limit:
            self.exit_code = exitcode.RESULT_INVALID
            return "failed", (
                "the last line of stdout is the return value, and as JSON it is longer than the "
                f"limit of {limit} bytes; write it to a file and print where it is"
            )
        if self._stdout.last_line:
            self._outbox.add("xcom", f'"key":"return_value","value":{value}')
        return "success", None

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
            self.pulls.append(compactjson.loads(document))  # type: ignore[arg-type]
        elif kind == FINISHED:
            self._told = compactjson.loads(document)  # type: ignore[assignment]

    def _write_inputs(self) -> None:
        try:
            self._input = self._input[posix.write(self._inputs, self._input) :]
        except BlockingIOError:
            return
        except OSError:
            self._input = b""
