"""What users import in dag.py: ``from leoflow import dag, task``.

Imported at the start of every task's container, so it stays tiny and imports only sys.
"""

from leoflow.decorator import dag, task
from leoflow.registry import DagError

__all__ = ["DagError", "dag", "task"]
