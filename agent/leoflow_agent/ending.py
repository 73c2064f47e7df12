"""How the task's process ended, where it was not by returning. Imported only then."""

import sys

from leoflow_agent import exitcode, failure
from leoflow_agent.exitcode import Verdict


def of(error: BaseException) -> "tuple[str, str | None, int]":
    """Return (state, reason, exit code) for what ended the task, and print it as a person reads it.

    ``error`` is a Verdict of the agent's, a SystemExit or what user code raised.
    """
    if isinstance(error, Verdict):
        sys.stderr.write("leoflow: " + error.reason + "\n")
        return "failed", error.reason, error.exit_code
    if isinstance(error, SystemExit):
        return _left_by_exit(error.code)
    failure.show(error)
    return "failed", failure.describe(error), exitcode.USER_FAILURE


def import_failed(module: str, error: BaseException) -> Verdict:
    """Print why the user's ``module`` could not be imported, and return the verdict on it."""
    failure.show(error)
    reason = f"module '{module}' could not be imported: {failure.describe(error)}"
    return Verdict(exitcode.IMPORT_FAILED, reason)


def _left_by_exit(code: object) -> "tuple[str, str | None, int]":
    if code is None or code == 0:
        return "success", None, exitcode.SUCCESS
    if isinstance(code, int):
        return "failed", f"user code left with sys.exit({code})", exitcode.own(code)
    sys.stderr.write(str(code) + "\n")
    return "failed", f"user code left with sys.exit({str(code)!r})", exitcode.USER_FAILURE
