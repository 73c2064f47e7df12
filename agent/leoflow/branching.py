"""``@task.branch`` and ``@task.short_circuit``: tasks whose result says what runs after them.

Imported only for DAGs that have one.
"""

import leoflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SHORT_CIRCUIT_OPTIONS = (*leoflow.TASK_OPTIONS, "ignore_downstream_trigger_rules")


def branch(function: "Any" = None, **options: "Any") -> "Any":
    """Make a function a task that returns the task_id, or task_ids, that go on; None is none."""
    return leoflow.decorate("branch", function, options)


def short_circuit(function: "Any" = None, **options: "Any") -> "Any":
    """Make a function a task after which nothing runs if what it returns is false."""
    return leoflow.decorate("short_circuit", function, options, SHORT_CIRCUIT_OPTIONS)
