"""The exit codes of the agent, in one table: they are the verdict that always arrives.

0 is success and 1 to 119 are the task's own. Codes from 128 up are 128 + the signal's number.
"""

SUCCESS = 0
USER_FAILURE = 1
SKIPPED = 99
WORKLOAD_INVALID = 120
IMPORT_FAILED = 121
RESULT_INVALID = 122
RESULT_LOST = 123
TIMED_OUT = 124
TERMINATED = 125
AGENT_FAILED = 126
SIGNAL_BASE = 128


def own(code: int) -> int:
    """Return ``code`` where a task may leave with it, else the plain user failure."""
    return code if 0 < code < WORKLOAD_INVALID and code != SKIPPED else USER_FAILURE


class Verdict(Exception):
    """The end of a try that is not user code's own exception."""

    def __init__(self, exit_code: int, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = exit_code
        self.reason = reason
