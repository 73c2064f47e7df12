"""What the operating system says of a failure, for people. The one place that drops its number."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"^\[Errno -?\d+\] ")


def system_words(error: BaseException) -> str:
    """Return what ``error`` says: "Connection refused", not "[Errno 111] Connection refused".

    HTTP libraries pass the system's text on with the number in it. An error that says nothing
    is known by its class.
    """
    return _NUMBER.sub("", str(error)) or type(error).__name__
