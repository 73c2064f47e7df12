"""Turns the task's process into bash. Imported only for bash tasks."""

import _signal
import errno
import os
import sys

from leoflow_agent import exitcode
from leoflow_agent.exitcode import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn
# execve(2): MAX_ARG_STRLEN, with the zero at the end.
_TOO_LONG = (
    "a command, and each variable, has at most 131071 bytes on Linux: write a longer one to a file"
)


def become(command: object) -> "NoReturn":
    """Run ``command`` in place of this process.

    Raises Verdict where ``command`` is no text or the image has no bash.
    """
    if not isinstance(command, str):
        kind = type(command).__name__
        raise Verdict(
            exitcode.RESULT_INVALID,
            f"a bash task's function has to return the command as a str, it returned '{kind}'",
        )
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores SIGPIPE, and what is ignored stays ignored in the program that follows.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    try:
        os.execvp("bash", ["bash", "-c", command])
    except OSError as error:
        hint = _TOO_LONG if error.errno == errno.E2BIG else "is it in the image?"
        raise Verdict(
            exitcode.IMPORT_FAILED, f"bash cannot be started: {error.strerror}; {hint}"
        ) from None
