"""What the end of a container means when nobody reported it, and what an OOM flag explains.

A ``finished`` event of the agent always wins over what is decided here.
"""

from __future__ import annotations

import json
import signal
from typing import Literal, NamedTuple

from leoflow_agent import exitcode
from leoflow_agent.spec import TaskSpec

from leoflow_controlplane.model import FinalState

_MEANING = {
    exitcode.WORKLOAD_INVALID: "the agent could not read its workload: the image was built by "
    "another version of leoflow; rebuild it with 'leoflow build'",
    exitcode.IMPORT_FAILED: "the task's module could not be imported",
    exitcode.RESULT_INVALID: "the task's return value is not JSON or is too large",
    exitcode.RESULT_LOST: "how the task ended could not be told inside its container",
    exitcode.TIMED_OUT: "the task ran longer than its execution_timeout_seconds",
    exitcode.TERMINATED: "the task was told to stop",
    exitcode.AGENT_FAILED: "the agent inside the container failed",
}
STOPPED_OUTSIDE = "it was told to stop from outside, by whoever looks after its engine or machine"
NOT_ENDED = "it was told to stop from outside, and its container did not end"
LOST = "its engine lost it: the engine or the machine was restarted"
UNKNOWN = 255
_KILLED = exitcode.SIGNAL_BASE + signal.SIGKILL


# What took a try's place away from it, for whoever counts: it could not be started, its container
# or engine was lost, it was told to stop by others; and what a cluster does to its Pods.
Loss = Literal["launch", "lost", "stopped", "evicted", "preempted", "node", "deleted"]


class Verdict(NamedTuple):
    """How a try ended. Not ``retryable``: trying again cannot help, or is not wanted.

    ``machinery``: it failed by no fault of the task's, so that it is tried again within a budget
    of the machinery's own, whatever the task's retries are. ``loss`` says what it was.
    """

    state: FinalState
    reason: str | None = None
    retryable: bool = True
    machinery: bool = False
    loss: Loss = "lost"


class Exit(NamedTuple):
    """What the executor saw. ``code`` None: nobody can tell any more, ``reason`` may say why.

    ``machinery``: what the try ran in was taken away from it, by no fault of the task's, which
    ``reason`` tells and ``loss`` names. Memory that it used up is its own fault. ``final``: it
    never ran, and would not another time either.
    """

    code: int | None
    oom_killed: bool = False
    reason: str | None = None
    machinery: bool = False
    final: bool = False
    loss: Loss = "lost"


def judge_exit(
    exit: Exit, task: TaskSpec, *, result_missing: bool, left: bytes | None = None
) -> Verdict:
    """Give the verdict on a try that ended without reporting one.

    ``left`` is the document of its verdict that the agent left in the container, if it did.
    ``result_missing``: a downstream task reads a value of this one that never arrived; then
    even exit code 0 is a failure, for the alternative is to work on with a wrong value.
    """
    if exit.code == exitcode.SUCCESS:
        return _silent_success(result_missing)
    reason = read_left_reason(left, exit)
    if exit.code == exitcode.SKIPPED:
        return Verdict("skipped", reason or "the task skipped itself")
    if exit.oom_killed:
        return Verdict("failed", explain_failure(reason, exit, task) or describe_oom(task))
    if exit.machinery:
        said = exit.reason or reason or describe_exit(exit)
        return Verdict("failed", said, machinery=True, loss=exit.loss)
    return Verdict("failed", reason or describe_exit(exit), retryable=not exit.final)


def judge_code(code: int, oom_killed: bool = False, reason: str | None = None) -> Exit:
    """Say whose fault an exit code is, for an executor that knows no more than the code.

    Its agent ends with TERMINATED only if it was told to stop. If that was not by us, it was by
    the engine, or the machine, or a person. UNKNOWN is containerd's, which Docker passes on.
    """
    if code == UNKNOWN:
        return Exit(code, oom_killed, reason or LOST, machinery=True)
    if code == exitcode.TERMINATED:
        return Exit(code, oom_killed, reason or STOPPED_OUTSIDE, machinery=True, loss="stopped")
    return Exit(code, oom_killed, reason)


def judge_told(reason: str, told: str = "") -> Verdict:
    """Give the verdict on a try that was told to stop for ``reason``, and failed; ``told`` is what
    people are told beside it. One that others had told before has lost its place to them."""
    words = f"{reason}; {told}" if told else reason
    return Verdict("failed", words, machinery=reason == NOT_ENDED, loss="stopped")


def read_left_reason(document: bytes | None, exit: Exit) -> str | None:
    """Return the reason in a verdict that was left; None if there is none to be believed.

    User code can write the file as well. The exit code is the agent's, so what contradicts it
    is not the agent's word.
    """
    try:
        left = json.loads(document or b"")
        if left["exit_code"] == exit.code and isinstance(left["reason"], str):
            return str(left["reason"].encode("utf-8", "replace").decode())
    except (LookupError, RecursionError, TypeError, ValueError):
        pass
    return None


def describe_exit(exit: Exit) -> str:
    """Say in words what an exit code other than 0 means."""
    if exit.code is None:
        return exit.reason or "the container vanished before its end could be read"
    if exit.code in _MEANING:
        return _MEANING[exit.code]
    if exit.code > exitcode.SIGNAL_BASE:
        return f"killed by signal {_signal(exit.code - exitcode.SIGNAL_BASE)} without a report"
    return f"exited with code {exit.code} without a report"


def explain_failure(reason: str | None, exit: Exit, task: TaskSpec) -> str | None:
    """Return a better reason for a reported failure when the engine knows one, else ``reason``.

    The agent only sees that its child was killed; that memory ran out is the engine's to say.
    """
    if not exit.oom_killed:
        return reason
    if exit.code in (None, _KILLED):
        return describe_oom(task)
    # What the task made of the end of its child is its own to say.
    return f"{reason}; a process of this task was {describe_oom(task)}"


def describe_oom(task: TaskSpec) -> str:
    """Say that memory ran out, what the limit was, and how to raise it."""
    limit = task.resources.memory_limit_bytes
    field = "limits" if task.resources.limits.memory_bytes else "requests"
    size = f"its limit of {_mebibytes(limit)}" if limit else "the machine's memory"
    return (
        f"killed by the kernel for exceeding {size} (out of memory). Raise "
        f"resources.{field}.memory of task '{task.task_id}' in leoflow.yaml."
    )


def _silent_success(result_missing: bool) -> Verdict:
    if result_missing:
        return Verdict(
            "failed", "exited with code 0, but a value that a downstream task needs never arrived"
        )
    return Verdict("success", "exited with code 0, but its last report was lost")


def _signal(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:g} MiB"
