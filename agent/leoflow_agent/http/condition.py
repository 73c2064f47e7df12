"""Whether an answer is the one that a poll waits for. Pure."""

import json

from leoflow_agent.http.path import find, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from leoflow_agent.wire import HttpCondition

_LONGEST_SHOWN = 60


def holds(condition: "HttpCondition", status: int, document: "Callable[[], Any]") -> bool:
    """Tell whether all of ``condition`` holds; ``document`` gives the JSON of the answer.

    It is asked for only if the status fits and a path has to be looked at. PathMissing if the
    path is not there.
    """
    if condition["status"] is not None and status not in condition["status"]:
        return False
    if condition["path"] is None:
        return True
    value = find(document(), condition["path"])
    if condition["one_of"] is not None and not _is_among(value, condition["one_of"]):
        return False
    return condition["none_of"] is None or not _is_among(value, condition["none_of"])


def describe(condition: "HttpCondition", status: int, document: "Callable[[], Any]") -> str:
    """Say what ``condition`` saw: "state is 'running'"; nothing if it looked at the status only."""
    if condition["path"] is None:
        return ""
    if condition["status"] is not None and status not in condition["status"]:
        return ""
    return f"{condition['path']} is {_shown(find(document(), condition['path']))}"


def _is_among(value: "Any", known: "list[Any]") -> bool:
    # True is not 1 in JSON.
    return any(isinstance(value, bool) is isinstance(one, bool) and value == one for one in known)


def _shown(value: "Any") -> str:
    if isinstance(value, (dict, list)):
        return kind_of(value)
    if isinstance(value, str):
        return repr(value[:_LONGEST_SHOWN]) + ("…" if len(value) > _LONGEST_SHOWN else "")
    return json.dumps(value)
