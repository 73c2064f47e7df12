"""What became of a try, from how its process ended. Pure: no clock, no file, no process."""

from leoflow_agent import exitcode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BASH_FOUND_NO_COMMAND = 127
SIGNAL_NAMES = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
}


def judge(
    kind: str,
    wait_status: int,
    told: "dict[str, Any] | None",
    stopped: "tuple[int, str] | None",
) -> "tuple[str, str | None, int]":
    """Return (state, reason, exit code) of a try.

    ``kind`` is the job's; ``wait_status`` is waitpid's; ``told`` is what the process said of its
    own end, if it came to that; ``stopped`` is why the agent ended it, if it did.
    """
    if told is not None and told["state"] == "success":
        return "success", None, exitcode.SUCCESS
    if stopped is not None:
        return "failed", stopped[1], stopped[0]
    if told is not None:
        return told["state"], told["reason"], told["exit_code"]
    signal = wait_status & 0x7F
    if signal:
        return "failed", _killed(signal), exitcode.SIGNAL_BASE + signal
    return _left(kind, wait_status >> 8)


def _killed(signal: int) -> str:
    text = f"the task's process was killed by signal {signal}"
    if signal in SIGNAL_NAMES:
        text += f" ({SIGNAL_NAMES[signal]})"
    if signal == 9:
        text += "; where nobody sent it, it is most often the kernel's answer to too much memory"
    return text


def _left(kind: str, code: int) -> "tuple[str, str | None, int]":
    if kind == "bash":
        if code == 0:
            return "success", None, exitcode.SUCCESS
        if code == exitcode.SKIPPED:
            return "skipped", f"bash left with exit code {code}", exitcode.SKIPPED
        return "failed", f"bash left with exit code {code}" + _command(code), exitcode.own(code)
    if code == exitcode.RESULT_LOST:
        reason = (
            "how the task ended is lost: user code has closed the descriptor by which it is told"
        )
        return "failed", reason + " (os.closerange?), or broken the interpreter", code
    reason = f"the task's process ended with exit code {code} before its function returned"
    return "failed", reason + " or its exit handlers were done (os._exit?)", exitcode.own(code)


def _command(code: int) -> str:
    if code == BASH_FOUND_NO_COMMAND:
        return ": a command was not found; `system_packages` in leoflow.yaml brings programs"
    signal = SIGNAL_NAMES.get(code - exitcode.SIGNAL_BASE)
    return f": a command of it was killed by {signal}" if signal else ""
