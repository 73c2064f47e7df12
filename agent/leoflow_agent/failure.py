"""What to say of user code that failed. Imported only once something has failed."""

import os
import sys
import traceback

MAX_REASON_CHARACTERS = 2000
_AGENT_FOLDER = os.path.dirname(os.path.abspath(__file__))
_OWN_FOLDERS = (_AGENT_FOLDER, os.path.join(os.path.dirname(_AGENT_FOLDER), "leoflow"))


def show(error: BaseException) -> None:
    """Print the traceback of ``error`` to stderr, without leoflow's own frames."""
    told = traceback.TracebackException.from_exception(error)
    _strip(told, set())
    write("".join(told.format()))


def write(text: str) -> None:
    """Write to the task's stderr, or to the descriptor where user code has done away with it."""
    try:
        sys.stderr.write(text)
    except Exception:
        try:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        except OSError:
            pass


def describe(error: BaseException) -> str:
    """Return ``error`` in one line: its type, its message and the user's line that raised it."""
    said = message(error)
    text = type(error).__name__ + (": " + said if said else "")
    parts = getattr(error, "exceptions", None)
    if isinstance(parts, tuple) and parts and isinstance(parts[0], BaseException):
        return f"{text}: {describe(parts[0])}"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{text} ({os.path.basename(error.filename)}:{error.lineno})"
    return text + _place(error)


def message(error: BaseException) -> str:
    """Return the first line of the message of ``error``, of bearable length."""
    lines = text_of(error).strip().splitlines()
    text = hide(lines[0]) if lines else ""
    if len(text) > MAX_REASON_CHARACTERS:
        text = text[:MAX_REASON_CHARACTERS] + "…"
    return text


def text_of(value: object) -> str:
    """Return the text of what is user code's, whose __str__ may fail."""
    try:
        return str(value)
    except BaseException as broken:
        return f"its message cannot be shown: {type(broken).__name__}"


def hide(text: str) -> str:
    """Return ``text`` without the secrets that the try was given."""
    from leoflow_agent import child

    if not child.given:
        return text
    from leoflow_agent.mask import Mask

    return Mask(child.given).text(text)


def _place(error: BaseException) -> str:
    project = os.environ.get("LEOFLOW_DAG_FOLDER", "").rstrip(os.sep) + os.sep
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(project):
            return f" ({os.path.relpath(frame.filename, project)}:{frame.lineno})"
    return ""


def _strip(told: "traceback.TracebackException | None", seen: "set[int]") -> None:
    """Take leoflow's frames out of an exception, of what led to it and of what is in it."""
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    frames = [frame for frame in told.stack or () if not _is_own(frame.filename)]
    while len(frames) < len(told.stack or ()) and frames and _is_loop(frames[0].filename):
        del frames[0]
    if told.stack is not None:
        told.stack[:] = frames
    _strip(told.__cause__, seen)
    _strip(told.__context__, seen)
    for part in getattr(told, "exceptions", None) or ():
        _strip(part, seen)


def _is_own(filename: str) -> bool:
    if filename.startswith("<frozen importlib"):
        return True
    return os.path.dirname(os.path.abspath(filename)) in _OWN_FOLDERS


def _is_loop(filename: str) -> bool:
    """Tell whether a frame is of the event loop that an async task is run in."""
    return os.path.basename(os.path.dirname(filename)) == "asyncio"
