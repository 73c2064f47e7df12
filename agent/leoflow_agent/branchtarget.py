"""Finds the task_ids that a branch names in its source, so that a wrong one is told at build time.

Used by ``read_dag`` only; never imported in a task's container.
"""

import ast
import inspect
import textwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def literals(function: "Any") -> "list[str]":
    """Return every text that ``function`` returns as it is written, alone or in a list."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return []
    return [text for node in _own(tree.body[0]) for text in _texts(node)]


def _own(node: ast.AST) -> "Iterator[ast.AST]":
    """Yield what is in a function, but nothing of the functions in it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return) and child.value is not None:
            yield child.value
        elif not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _own(child)


def _texts(node: ast.AST) -> "Iterator[str]":
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, (ast.List, ast.Tuple)):
        for item in node.elts:
            yield from _texts(item)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
