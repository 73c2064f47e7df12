"""Where in a project's files something is imported: `dag.py:3`.

Reads the project's files, runs nothing of them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


class ProjectCode:
    """The modules of a project folder, which is the first folder on a task's path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file_of(self, module: str) -> str | None:
        """Return a module's file, relative to the folder; None if it is none of the project's."""
        parts = module.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        stem = "/".join(parts)
        for name in (f"{stem}.py", f"{stem}/__init__.py"):
            if (self._folder / name).is_file():
                return name
        return None

    def place_of(self, importer: str, imported: str) -> str | None:
        """Return "FILE:LINE" of the statement by which ``importer`` imports a module.

        Only "FILE" if no statement says so; None if the importer is none of the project's.
        """
        file = self.file_of(importer)
        if file is None:
            return None
        package = importer if file.endswith("/__init__.py") else importer.rpartition(".")[0]
        try:
            source = (self._folder / file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return file
        line = find_import_line(source, package, imported)
        return file if line is None else f"{file}:{line}"


def find_import_line(source: str, package: str, imported: str) -> int | None:
    """Return the first line that imports a module, or something in it or around it. Pure.

    ``package`` is the one that the source belongs to, "" for none: relative imports start there.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    statements = [(line, name) for node in ast.walk(tree) for line, name in _imports(node, package)]
    # `import a.b` imports `a` as well; only then does `from a import c` stand for `a.b`.
    for matches in (_is_within, _is_around):
        lines = [line for line, name in statements if matches(name, imported)]
        if lines:
            return min(lines)
    return None


def _is_within(name: str, imported: str) -> bool:
    return f"{name}.".startswith(f"{imported}.")


def _is_around(name: str, imported: str) -> bool:
    return f"{imported}.".startswith(f"{name}.")


def _imports(node: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield node.lineno, alias.name
    elif isinstance(node, ast.ImportFrom):
        parts = package.split(".") if package else []
        above = parts[: len(parts) - node.level + 1] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        if module:
            yield node.lineno, module
        for alias in node.names:
            yield node.lineno, f"{module}.{alias.name}" if module else alias.name
