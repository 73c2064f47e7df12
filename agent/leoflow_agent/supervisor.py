"""The process that looks after the task's process: PID 1 of the container.

One thread and one poll loop: it waits for signals, for what the task prints and says, and for
the control plane, and never for one of them alone.
"""

import _signal
import posix
import select
import time

from leoflow_agent.outbox import Outbox
from leoflow_agent.reporter import Reporter
from leoflow_agent.stream import NEVER, STANDSTILL_SECONDS
from leoflow_agent.task import Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.wire import Workload

# How long a task that is over waits for the control plane.
PATIENCE_SECONDS = 600.0


def supervise(
    workload: "Workload",
    pid: int,
    pipes: "tuple[int, int, int, int]",
    held: "tuple[int, ...]",
    agent_up: float,
) -> int:
    """Look after process ``pid`` until it has ended and the control plane knows.

    ``pipes`` are this side's ends: stdout, stderr, messages, inputs. ``held`` are the signals that
    wait since the agent's first line. Returns the exit code.
    """
    try:
        outbox = Outbox()
        task = Task(workload, pid, pipes, outbox)
        signals = _listen_to_signals(held)
        outbox.add("started", f'"agent_up":{agent_up:.6f}')
        return Supervisor(workload, task, outbox, signals).run()
    except BaseException as error:
        from leoflow_agent import testament

        return testament.write_failure(pid, error)


def _listen_to_signals(held: "tuple[int, ...]") -> int:
    """Turn signals into bytes on a pipe and return its reading end."""
    reading, writing = posix.pipe()
    posix.set_blocking(reading, False)
    posix.set_blocking(writing, False)
    _signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for signal in (_signal.SIGCHLD, *held):
        _signal.signal(signal, lambda *_: None)
    # What came meanwhile arrives now.
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, held)
    return reading


class Supervisor:
    """The poll loop between the task and the reporter.

    ``is_ending`` and ``patience_seconds`` are for ``stopping``.
    """

    def __init__(self, workload: "Workload", task: Task, outbox: Outbox, signals: int) -> None:
        self.task = task
        self.reporter = Reporter(workload, outbox)
        self.patience_seconds = workload.get("patience_seconds", PATIENCE_SECONDS)
        self.is_ending = False
        self._outbox = outbox
        self._signals = signals
        self._give_up_at = NEVER

    def run(self) -> int:
        """Loop until the verdict is delivered, refused, or nobody came for it."""
        self.task.reap()
        # What is there already, all of a short task, goes into the first report.
        self._wait(time.monotonic())
        while True:
            now = time.monotonic()
            self.reporter.inquiry = self.task.inquiry
            self.reporter.pump(now)
            if self.reporter.terminate:
                from leoflow_agent import stopping

                stopping.terminate(self.task, self.reporter.terminate, now)
            self.task.keep_deadlines(now)
            if self.task.over and self._is_done(now):
                return self.task.exit_code
            self._wait(now)

    def _is_done(self, now: float) -> bool:
        self._give_up_at = min(self._give_up_at, now + self.patience_seconds)
        if self._outbox and not self.reporter.refused:
            if now < self._give_up_at:
                return False
            from leoflow_agent import testament

            testament.write(*self.task.verdict, self.task.exit_code)
            self.reporter.refused = True
        return self.task.gone and not self.task.is_copying(now)

    def _wait(self, now: float) -> None:
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        # A task waits for a control plane that takes the log, not for one that is away.
        hold = self._outbox.is_full and self.reporter.is_answered(now, STANDSTILL_SECONDS)
        for fd, interest in self.task.interests(now, hold):
            poll.register(fd, interest)
        channel = self.reporter.channel
        if channel.busy:
            poll.register(*channel.interest())
        due = [self.reporter.seconds_to_wait(now), self.task.seconds_to_wait(now)]
        due += [self._give_up_at - now, STANDSTILL_SECONDS if hold else NEVER]
        for fd, _ in poll.poll(max(min(due), 0.0) * 1000):
            if fd == self._signals:
                self._heed_signals(now)
            elif not self.task.take(fd) and channel.busy and fd == channel.interest()[0]:
                self.reporter.advance(now)

    def _heed_signals(self, now: float) -> None:
        for signal in posix.read(self._signals, 4096):
            if signal == _signal.SIGCHLD:
                self.task.reap()
            else:
                from leoflow_agent import stopping

                stopping.heed(self, signal, now)
