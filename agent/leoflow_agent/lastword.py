"""What is said of a task where user code has broken what saying it properly takes.

It is loaded with the child, for then no descriptor may be left to load it with; it needs no other
module and trusts nothing.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST_TEXT = 1000
# As in exitcode, which may not be loaded.
USER_FAILURE, RESULT_LOST = 1, 123
# The variables that the try was given, which may hold secrets.
given: "dict[str, str]" = {}


def of(error: BaseException, another: BaseException) -> "dict[str, Any]":
    """Return the end of a task by ``error``, which ``another`` keeps from being shown."""
    reason = plain(error)
    say(f"{reason} (its traceback cannot be shown: {plain(another)})")
    return {"state": "failed", "reason": reason, "exit_code": USER_FAILURE}


def lose(error: BaseException) -> int:
    """Say that nobody can be told how the task ended, and return the exit code for that."""
    say(f"how the task ended cannot be told: {plain(error)}")
    return RESULT_LOST


def plain(error: BaseException) -> str:
    """Return ``error`` in a few words, without the secrets that the try was given."""
    try:
        from leoflow_agent import failure

        return f"{type(error).__name__}: {failure.message(error)}"
    except BaseException:
        return f"{type(error).__name__}: {_text(error)}"


def say(text: str) -> None:
    """Write a line to stderr, if there is one."""
    try:
        posix.write(2, f"leoflow: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def _text(error: BaseException) -> str:
    # What hides secrets cannot be trusted here: nothing is shown that may hold one.
    if given:
        return "(its message is not shown, for the try was given secrets)"
    try:
        return str(error)[:LONGEST_TEXT]
    except BaseException:
        return "(its message cannot be shown)"
