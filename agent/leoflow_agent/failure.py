"""What to say of user code that failed. Imported only once something has failed."""

import os
import sys
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

LONGEST_MESSAGE = 1000
_AGENT_FOLDER = os.path.dirname(os.path.abspath(__file__))


def show(error: BaseException) -> None:
    """Print the traceback of ``error`` to stderr, without the agent's own frames."""
    own = _user_frames(error.__traceback__)
    traceback.print_exception(type(error), error, own, file=sys.stderr)


def describe(error: BaseException) -> str:
    """Return ``error`` in one line: its type, its message and the user's line that raised it."""
    message = _message(error).strip().splitlines()
    text = type(error).__name__ + (": " + _cut(message[0]) if message else "")
    if isinstance(error, SyntaxError) and error.filename:
        return f"{text} ({os.path.basename(error.filename)}:{error.lineno})"
    frames = traceback.extract_tb(_user_frames(error.__traceback__))
    project = os.environ.get("LEOFLOW_DAG_FOLDER", os.sep)
    for frame in reversed(frames):
        if frame.filename.startswith(project):
            return f"{text} ({os.path.relpath(frame.filename, project)}:{frame.lineno})"
    return text


def first_not_json(value: object, path: str = "result") -> "str | None":
    """Return where in ``value`` something is not JSON, and what; None if all of it is."""
    if value is None or isinstance(value, (str, int, bool)):
        return None
    if isinstance(value, float):
        return None if value - value == 0 else f"{path} is {value}"
    if isinstance(value, dict):
        for key, item in value.items():
            if key is not None and not isinstance(key, (str, int, float)):
                return f"{path} has a key of type '{type(key).__name__}'"
            found = first_not_json(item, f"{path}[{key!r}]")
            if found:
                return found
        return None
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            found = first_not_json(item, f"{path}[{index}]")
            if found:
                return found
        return None
    return f"{path} is of type '{type(value).__name__}'"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as another:
        return f"(its text cannot be had: {type(another).__name__})"


def _cut(line: str) -> str:
    if len(line) <= LONGEST_MESSAGE:
        return line
    return f"{line[:LONGEST_MESSAGE]}… ({len(line)} characters, all of them in the log)"


def _user_frames(frames: "TracebackType | None") -> "TracebackType | None":
    while frames is not None and _is_own(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames


def _is_own(filename: str) -> bool:
    if filename.startswith("<frozen importlib"):
        return True
    return os.path.dirname(os.path.abspath(filename)) == _AGENT_FOLDER
