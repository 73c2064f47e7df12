"""The process that looks after the task's process: PID 1 of the container.

One thread and one poll loop: it waits for signals, for what the task prints and says, and for
the control plane, and never for one of them alone.
"""

import _signal
import posix
import select
import time

from leoflow_agent import exitcode
from leoflow_agent.outbox import Outbox
from leoflow_agent.reporter import Reporter
from leoflow_agent.stream import NEVER, STANDSTILL_SECONDS
from leoflow_agent.task import Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.wire import Workload

FORWARDED = (_signal.SIGHUP, _signal.SIGUSR1, _signal.SIGUSR2, _signal.SIGWINCH)
ENDING = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGQUIT)
# How long a task that is over waits for the control plane, and how long once it was told to end.
PATIENCE_SECONDS, LAST_ATTEMPT_SECONDS = 600.0, 2.0


def supervise(
    workload: "Workload", pid: int, pipes: "tuple[int, int, int, int]", agent_up: float
) -> int:
    """Look after process ``pid`` until it has ended and the control plane knows.

    ``pipes`` are this side's ends: stdout, stderr, messages, inputs. Returns the exit code.
    """
    outbox = Outbox()
    task = Task(workload, pid, pipes, outbox)
    try:
        signals = _listen_to_signals()
        outbox.add("started", f'"agent_up":{agent_up:.6f}')
        return Supervisor(workload, task, outbox, signals).run()
    except BaseException as error:
        from leoflow_agent import testament

        return testament.write_failure(pid, error)


def _listen_to_signals() -> int:
    """Turn signals into bytes on a pipe and return its reading end."""
    reading, writing = posix.pipe()
    posix.set_blocking(reading, False)
    posix.set_blocking(writing, False)
    _signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for signal in (_signal.SIGCHLD, *FORWARDED, *ENDING):
        _signal.signal(signal, lambda *_: None)
    # They were held back since the agent's first line; what came meanwhile arrives now.
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (*FORWARDED, *ENDING))
    return reading


class Supervisor:
    """The poll loop between the task and the reporter."""

    def __init__(self, workload: "Workload", task: Task, outbox: Outbox, signals: int) -> None:
        self._task = task
        self._outbox = outbox
        self._signals = signals
        self._reporter = Reporter(workload, outbox)
        self._patience_seconds = workload.get("patience_seconds", PATIENCE_SECONDS)
        self._give_up_at = NEVER
        self._is_ending = False

    def run(self) -> int:
        """Loop until the verdict is delivered, refused, or nobody came for it."""
        self._task.reap()
        while True:
            now = time.monotonic()
            self._reporter.pump(now)
            self._obey(now)
            if self._task.over and self._is_done(now):
                return self._task.exit_code
            self._wait(now)

    def _obey(self, now: float) -> None:
        while self._task.pulls:
            self._reporter.pull(self._task.pulls.pop(0))
        while self._reporter.answers:
            self._task.give(self._reporter.answers.pop(0))
        if self._reporter.terminate:
            self._task.stop(exitcode.TERMINATED, self._reporter.terminate, now)
        self._task.keep_deadlines(now)

    def _is_done(self, now: float) -> bool:
        self._give_up_at = min(self._give_up_at, now + self._patience_seconds)
        if self._outbox and not self._reporter.refused:
            if now < self._give_up_at:
                return False
            from leoflow_agent import testament

            testament.write(*self._task.verdict, self._task.exit_code)
            self._reporter.refused = True
        return not self._task.is_copying(now)

    def _wait(self, now: float) -> None:
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        # A task waits for a control plane that takes the log, not for one that is away.
        hold = self._outbox.is_full and self._reporter.is_answered(now, STANDSTILL_SECONDS)
        for fd, interest in self._task.interests(now, hold):
            poll.register(fd, interest)
        channel = self._reporter.channel
        if channel.busy:
            poll.register(*channel.interest())
        due = [self._reporter.seconds_to_wait(now), self._task.seconds_to_wait(now)]
        due += [self._give_up_at - now, STANDSTILL_SECONDS if hold else NEVER]
        for fd, _ in poll.poll(max(min(due), 0.0) * 1000):
            if fd == self._signals:
                self._heed_signals(now)
            elif not self._task.take(fd) and channel.busy and fd == channel.interest()[0]:
                self._reporter.advance(now)

    def _heed_signals(self, now: float) -> None:
        for signal in posix.read(self._signals, 4096):
            if signal == _signal.SIGCHLD:
                self._task.reap()
            elif signal in ENDING and not self._is_ending:
                # Whoever says so kills everything soon.
                self._is_ending = True
                self._patience_seconds = LAST_ATTEMPT_SECONDS
                self._reporter.hurry(now)
                reason = f"stopped by signal {signal}"
                self._task.stop(exitcode.TERMINATED, reason, now, signal)
            else:
                self._task.signal(signal)
