"""How the task's process ended, where it was not by returning. Imported only then."""

import sys

from leoflow_agent import exitcode, failure
from leoflow_agent.exitcode import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def of(error: BaseException) -> "dict[str, Any]":
    """Return state, reason, exit_code and what else is told of a task that ``error`` ended.

    ``error`` is a Verdict of the agent's, a SystemExit or what user code raised. It is printed as
    a person reads it. No secret that the try was given is in the reason.
    """
    end = _judge(error)
    if end["reason"] is not None:
        end["reason"] = failure.hide(end["reason"])
    return end


def import_failed(module: str, error: BaseException) -> BaseException:
    """Print why the user's ``module`` could not be imported, and return the verdict on it."""
    outcome: Any = sys.modules.get("leoflow.outcome")
    if outcome is not None and isinstance(error, outcome.TaskTerminated):
        return error  # type: ignore[no-any-return]
    failure.show(error)
    reason = f"module '{module}' could not be imported: {failure.describe(error)}"
    return Verdict(exitcode.IMPORT_FAILED, reason)


def _judge(error: BaseException) -> "dict[str, Any]":
    outcome: Any = sys.modules.get("leoflow.outcome")
    if isinstance(error, Verdict):
        failure.write(f"leoflow: {error.reason}\n")
        return _end("failed", error.reason, error.exit_code)
    if outcome is not None and isinstance(error, outcome.SkipTask):
        reason = failure.message(error) or "the task skipped itself"
        failure.write(f"leoflow: skipped: {reason}\n")
        return _end("skipped", reason, exitcode.SKIPPED)
    if outcome is not None and isinstance(error, outcome.TaskTerminated):
        failure.show(error)
        reason = "the task's process was told to stop by signal 15 (SIGTERM)"
        return _end("failed", reason, exitcode.SIGNAL_BASE + 15)
    if isinstance(error, SystemExit):
        return _left_by_exit(error.code)
    failure.show(error)
    end = _end("failed", failure.describe(error), exitcode.USER_FAILURE)
    if outcome is not None and isinstance(error, outcome.FailTask):
        end["retryable"] = False
    return end


def _left_by_exit(code: object) -> "dict[str, Any]":
    if code is None or (isinstance(code, int) and code == 0):
        return _end("success", None, exitcode.SUCCESS)
    if isinstance(code, int):
        # More digits than str() writes are none that an exit code has.
        shown = str(code) if abs(code) < 2**63 else "a very large number"
        return _end("failed", f"user code left with sys.exit({shown})", exitcode.own(int(code)))
    said = failure.text_of(code)
    failure.write(said + "\n")
    reason = f"user code left with sys.exit({said[: failure.MAX_REASON_CHARACTERS]!r})"
    return _end("failed", reason, exitcode.USER_FAILURE)


def _end(state: str, reason: "str | None", exit_code: int) -> "dict[str, Any]":
    return {"state": state, "reason": reason, "exit_code": exit_code}
