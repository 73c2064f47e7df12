"""A YAML file that was read: its value, and where everything in it is written. Pure.

It knows no parser, which takes long to load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leoflow_builder.problem import Problem

Path = tuple[str | int, ...]
Position = tuple[int, int]


@dataclass(frozen=True)
class YamlFile:
    """The value in a YAML file. ``positions`` and ``texts`` are by path of keys and indexes;
    ``texts`` has each scalar as it is written (1.10, where the value is 1.1)."""

    name: str
    value: Any
    positions: Mapping[Path, Position] = field(default_factory=dict)
    texts: Mapping[Path, str] = field(default_factory=dict)

    def position(self, path: Path) -> Position:
        """Return line and column of ``path``, or of the nearest thing around it that exists."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, (1, 1))

    def problem(self, path: Path, message: str) -> Problem:
        """Return a problem that points at ``path``."""
        line, column = self.position(path)
        return Problem(self.name, line, message, column)


def as_record(file: YamlFile) -> dict[str, Any]:
    """Return a file as JSON can hold it; `from_record` gives it back."""
    return {
        "value": file.value,
        "positions": list(file.positions.items()),
        "texts": list(file.texts.items()),
    }


def from_record(name: str, record: Mapping[str, Any]) -> YamlFile:
    """Return the file that `as_record` was given."""
    return YamlFile(
        name,
        record["value"],
        {tuple(path): tuple(position) for path, position in record["positions"]},
        {tuple(path): text for path, text in record["texts"]},
    )
