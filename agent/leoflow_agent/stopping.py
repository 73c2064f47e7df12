"""How a task is stopped that does not end by itself: signals, the limit of its time, its grace.

Imported when the first signal comes, the control plane says so, or time is up.
"""

import _signal
import posix

from leoflow_agent import exitcode, setback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.supervisor import Supervisor
    from leoflow_agent.task import Task

ENDING = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGQUIT)
# How long a task that is over waits for the control plane once the container was told to end.
LAST_ATTEMPT_SECONDS = 2.0


def heed(supervisor: "Supervisor", signal: int, now: float) -> None:
    """Do what a signal to the container asks for; the first that ends it counts."""
    if signal not in ENDING or supervisor.is_ending:
        send(supervisor.task, signal)
        return
    # Whoever says so kills everything soon.
    supervisor.is_ending = True
    supervisor.patience_seconds = LAST_ATTEMPT_SECONDS
    setback.hurry(supervisor.reporter, now)
    stop(supervisor.task, exitcode.TERMINATED, f"stopped by signal {signal}", now, signal)


def terminate(task: "Task", reason: str, now: float) -> None:
    """Stop a task because the control plane says so."""
    stop(task, exitcode.TERMINATED, reason, now)


def stop(
    task: "Task", exit_code: int, reason: str, now: float, signal: int = _signal.SIGTERM
) -> None:
    """End the task: ``signal`` now, SIGKILL after the grace. The first reason given stays."""
    if task.stopped is None and not task.over:
        task.stopped = (exit_code, reason)
        task.deadline = now + task.workload["grace_seconds"]
        send(task, signal)


def keep_deadline(task: "Task", now: float) -> None:
    """Stop a task that ran out of its time, kill one that ran out of its grace to leave."""
    if task.stopped is None and not task.over:
        limit = task.workload["execution_timeout_seconds"]
        reason = f"timed out: it ran longer than execution_timeout_seconds = {limit:g}"
        stop(task, exitcode.TIMED_OUT, reason, now)
    else:
        task.deadline = float("inf")
        send(task, _signal.SIGKILL)


def send(task: "Task", number: int) -> None:
    """Send a signal to the task's process group, to the process before it has one."""
    for send_to in (posix.killpg, posix.kill):
        try:
            if not task.gone:
                send_to(task.pid, number)
            return
        except OSError:
            continue
