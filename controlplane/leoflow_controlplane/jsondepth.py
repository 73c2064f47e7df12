"""How deep a value of a task, or the conf of a run, may be. Pure; light enough for the process of
the inline calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# How deep lists and mappings may be in one another. What was read once is read again where less of
# the interpreter's stack is left, and must not be too deep there.
DEEPEST = 500


def is_too_deep(value: Any) -> bool:
    """Say whether lists and mappings in ``value`` are in one another deeper than ``DEEPEST``."""
    level = [value]
    for _ in range(DEEPEST):
        level = [item for one in level for item in _items(one) if isinstance(item, list | dict)]
        if not level:
            return False
    return True


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
