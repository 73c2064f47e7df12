"""The exit codes of the command line, and the error of one who typed something wrong."""

SUCCESS, RUN_FAILED, INVALID_INPUT, MACHINERY_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


class InvalidInput(Exception):
    """What was typed makes no sense; the text says what to type."""


class Unusable(Exception):
    """Something of this machine's cannot be used; the text says what to do."""
