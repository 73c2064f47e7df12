"""YAML that remembers where everything is written, and refuses what YAML would change in silence.

Knows nothing of leoflow's keys: it turns text into plain values and positions.
"""

from __future__ import annotations

import math
from typing import Any

import yaml

from leoflow_builder.problem import Problem
from leoflow_builder.yamlplace import Path, Position, YamlFile

_SCALARS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}
_AS_TEXT = "tag:yaml.org,2002:timestamp"
_MERGE = "tag:yaml.org,2002:merge"


def parse_yaml(text: str, name: str) -> tuple[YamlFile, list[Problem]]:
    """Parse ``text`` of the file called ``name``; with problems, the value is not whole."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        return YamlFile(name, None), [_syntax_problem(error, name, text)]
    reading = _Reading(name)
    value = reading.value(node, ()) if node is not None else None
    return YamlFile(name, value, reading.positions, reading.texts), reading.problems


def _syntax_problem(error: yaml.YAMLError, name: str, text: str) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        if mark is not None and mark.line >= len(text.splitlines()):
            mark = error.context_mark  # the end of the file is no line; what began last is one
        if mark is not None:
            return Problem(name, mark.line + 1, f"not valid YAML: {said}", mark.column + 1)
    return Problem(name, 1, f"not valid YAML: {' '.join(str(error).split())}")


class _Reading:
    """One walk over the nodes of a document."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.positions: dict[Path, Position] = {}
        self.texts: dict[Path, str] = {}
        self.problems: list[Problem] = []
        self._open: list[int] = []
        self._construct = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.positions.setdefault(path, _position(node))
        if id(node) in self._open:
            self._add(node, "an alias stands inside of its own anchor")
            return None
        self._open.append(id(node))
        try:
            return self._value(node, path)
        finally:
            self._open.pop()

    def _value(self, node: yaml.Node, path: Path) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._add(node, f"the YAML tag '{node.tag}' is not supported: write a plain value")
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                self._add(key_node, "'<<' is not supported: write the keys out, or use `defaults`")
                continue
            key = self._key(key_node)
            if key is None:
                continue
            line = key_node.start_mark.line + 1
            if key in lines:
                message = (
                    f"the key '{key}' is written twice, first in line {lines[key]}: remove one"
                )
                self._add(key_node, message)
                continue
            lines[key] = line
            self.positions[(*path, key)] = _position(key_node)
            result[key] = self.value(value_node, (*path, key))
        return result

    def _key(self, node: yaml.Node) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag in ("tag:yaml.org,2002:str", _AS_TEXT):
            return str(node.value)
        written = node.value if isinstance(node, yaml.ScalarNode) else "this"
        self._add(node, f'the key {written} is not text to YAML: quote it: "{written}"')
        return None

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = str(node.value)
        self.texts[path] = text
        if node.tag == _AS_TEXT:
            return text
        if node.tag not in _SCALARS:
            self._add(node, f"the YAML tag '{node.tag}' is not supported: write a plain value")
            return None
        try:
            value = self._construct.construct_object(node)
        except (ValueError, yaml.YAMLError):
            self._add(node, f"'{text}' is not a value: quote it")
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._check_number(node, value)
        return value

    def _check_number(self, node: yaml.ScalarNode, value: int | float) -> None:
        text = str(node.value).lstrip("+-")
        octal = isinstance(value, int) and len(text) > 1 and text[0] == "0" and text[1].isdigit()
        if octal or ":" in text:
            self._add(
                node, f"YAML reads {node.value} as the number {value}: quote it, or write that"
            )
        if isinstance(value, float) and not math.isfinite(value):
            self._add(node, f"{node.value} is not a number in JSON: quote it, or remove it")

    def _add(self, node: yaml.Node, message: str) -> None:
        line, column = _position(node)
        self.problems.append(Problem(self.name, line, message, column))


def _position(node: yaml.Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1
