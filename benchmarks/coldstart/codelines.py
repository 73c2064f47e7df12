"""Counts lines of code: lines that hold a token other than a comment or a docstring."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass

NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
)


@dataclass(frozen=True)
class CodeSize:
    """``bytes`` are those of the lines, indentation and a line's end included."""

    lines: int
    bytes: int

    def __add__(self, other: CodeSize) -> CodeSize:
        return CodeSize(self.lines + other.lines, self.bytes + other.bytes)


def code_size(source: str) -> CodeSize:
    """Return how much code there is in a module's text."""
    numbers: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            numbers.update(range(token.start[0], token.end[0] + 1))
    numbers -= set(_docstrings(ast.parse(source)))
    lines = source.splitlines(keepends=True)
    return CodeSize(len(numbers), sum(len(lines[number - 1].encode()) for number in numbers))


def _docstrings(tree: ast.Module) -> list[int]:
    found: list[int] = []
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            assert first.end_lineno is not None
            found += range(first.lineno, first.end_lineno + 1)
    return found
