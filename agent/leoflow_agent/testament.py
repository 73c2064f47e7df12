"""The verdict left in the container, where the executor finds it when no report came.

Imported only when the control plane did not come for the verdict, or the agent itself failed.
"""

import _signal
import posix
import sys

from leoflow_agent import compactjson, exitcode
from leoflow_agent.notice import say

VARIABLE = b"LEOFLOW_VERDICT_FILE"
DEFAULT_PATH = b"/tmp/.leoflow-verdict"
# Kubernetes reads no more of a termination message.
MAX_BYTES = 4096


def write(state: str, reason: "str | None", exit_code: int) -> None:
    """Write the verdict to its file if that can be written; the exit code remains anyway."""
    say(f"the control plane did not come for the verdict: {state}, {reason}")
    document = _encode(state, reason, exit_code)
    try:
        fd = posix.open(
            posix.environ.get(VARIABLE) or DEFAULT_PATH,
            posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC,
            0o644,
        )
        posix.write(fd, document)
        posix.close(fd)
    except OSError as error:
        say(f"the verdict cannot be left in the container: {error.strerror}")


def write_failure(pid: int, error: BaseException) -> int:
    """End the task of an agent that failed itself; return the exit code that says so."""
    sys.excepthook(type(error), error, error.__traceback__)
    try:
        posix.killpg(pid, _signal.SIGKILL)
    except OSError:
        pass
    reason = f"the agent inside the container failed: {error!r}"
    write("failed", reason, exitcode.AGENT_FAILED)
    return exitcode.AGENT_FAILED


def _encode(state: str, reason: "str | None", exit_code: int) -> bytes:
    while True:
        document = {"state": state, "reason": reason, "exit_code": exit_code}
        text = compactjson.dumps(document).encode()
        if len(text) <= MAX_BYTES or not reason:
            return text
        reason = reason[: len(reason) * 3 // 4] + "…"
