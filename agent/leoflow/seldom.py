"""Finds the names of the package that few tasks import, in the modules that they cost.

Imported once one of them is asked for.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MODULES = {
    "DagError": "mistake",
    "FailTask": "outcome",
    "SkipTask": "outcome",
    "TaskTerminated": "outcome",
    "DagRun": "runcontext",
    "TaskInstance": "runcontext",
    "get_current_context": "runcontext",
}


def find(name: str) -> "Any":
    """Return what the package calls ``name``; AttributeError if it has no such thing."""
    if name not in _MODULES:
        raise AttributeError(f"module 'leoflow' has no attribute {name!r}")
    return getattr(__import__("leoflow." + _MODULES[name], fromlist=["*"]), name)
