"""What users import in dag.py: ``from leoflow import dag, task``.

Imported at the start of every task's container, so it stays tiny and imports only sys.
"""

from leoflow.decorator import dag, task
from leoflow.registry import DagError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow.outcome import FailTask, SkipTask, TaskTerminated
    from leoflow.runcontext import DagRun, TaskInstance, get_current_context

__all__ = [
    "DagError",
    "DagRun",
    "FailTask",
    "SkipTask",
    "TaskInstance",
    "TaskTerminated",
    "dag",
    "get_current_context",
    "task",
]


def __getattr__(name: str) -> object:
    """Import what few tasks need when one asks for it."""
    if name not in __all__:
        raise AttributeError(f"module 'leoflow' has no attribute {name!r}")
    from leoflow import outcome

    if hasattr(outcome, name):
        return getattr(outcome, name)
    from leoflow import runcontext

    return getattr(runcontext, name)
