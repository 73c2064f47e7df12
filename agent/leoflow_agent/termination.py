"""SIGTERM as an exception in the task's main thread, once, so that user code can clean up.

Imported when the first one comes, or by what must not be interrupted halfway.
"""

import _signal
import _thread
import posix

from leoflow.outcome import TaskTerminated

from leoflow_agent import exitcode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.child import Messages

EXIT_CODE = exitcode.SIGNAL_BASE + _signal.SIGTERM


def heed(messages: "Messages", number: int) -> None:
    """Do what the signal asks for; runs in the main thread, wherever that is just now."""
    if posix.getpid() != messages.pid:
        # A fork of user code's: it ends by the signal as any process does.
        _signal.signal(number, _signal.SIG_DFL)
        posix.kill(posix.getpid(), number)
    elif not messages.heard:
        messages.heard = messages.due = True
        raise_due(messages)


def raise_due(messages: "Messages") -> None:
    """Raise TaskTerminated if it is due and this is a good moment."""
    if messages.due and not messages.holds:
        messages.due = False
        raise TaskTerminated(EXIT_CODE)


def hold(messages: "Messages") -> None:
    """Put the exception off until `release`; both may nest."""
    if _is_main(messages):
        messages.holds += 1


def release(messages: "Messages") -> None:
    """End a `hold`, and raise what was put off."""
    if _is_main(messages):
        messages.holds -= 1
        raise_due(messages)


def check(messages: "Messages") -> None:
    """Raise TaskTerminated in a thread that no signal reaches, once the task has to stop."""
    if messages.heard and not _is_main(messages):
        raise TaskTerminated(EXIT_CODE)


def _is_main(messages: "Messages") -> bool:
    return _thread.get_ident() == messages.main_thread
