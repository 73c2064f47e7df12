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
    "TaskGroup": "group",
    "task_group": "group",
    "setup": "lifecycle",
    "teardown": "lifecycle",
}
_DECORATORS = {
    "branch": "branching",
    "short_circuit": "branching",
    "http_api": "httpcall",
    "setup": "lifecycle",
    "teardown": "lifecycle",
}


def find(name: str) -> "Any":
    """Return what the package calls ``name``; AttributeError if it has no such thing."""
    if name not in _MODULES:
        raise AttributeError(f"module 'leoflow' has no attribute {name!r}")
    return _attribute(_MODULES[name], name)


def decorator(name: str) -> "Any":
    """Return ``task.<name>``; DagError if there is none."""
    if name not in _DECORATORS:
        from leoflow import mistake, registry

        raise mistake.unknown_decorator(name, registry.caller())
    return _attribute(_DECORATORS[name], name)


def _attribute(module: str, name: str) -> "Any":
    return getattr(__import__("leoflow." + module, fromlist=["*"]), name)
