"""Where in a JSON document a value is: ``data.items[0].state``, ``["@odata.nextLink"]``.

Names between dots, indexes and quoted names in brackets, and nothing more. Never shows values.
"""

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Steps = tuple[str | int, ...]

_STEP = re.compile(r'(\.?)(?:([^.\[\]"\s]+)|\[(\d{1,9})\]|\[("(?:[^"\\]|\\.)+")\])')
_PLAIN_NAME = re.compile(r'[^.\[\]"\s]+')
_LONGEST_NAME = 40
_MOST_NAMES = 10


class PathMissing(Exception):
    """The path leads nowhere; the text says what is there instead.

    ``at_end``: all but the last step of the path is there, or null in its place.
    """

    def __init__(self, text: str, at_end: bool) -> None:
        super().__init__(text)
        self.at_end = at_end


def parse(path: str) -> "Steps":
    """Return the names and indexes that ``path`` consists of; ValueError says what is wrong."""
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        step = None if match is None else _step(match, is_first=at == 0)
        if match is None or step is None:
            raise ValueError(
                f"'{path}' is not a JSON path at character {at + 1}: write names and indexes like "
                'data.items[0].state, and other names in brackets like ["@odata.nextLink"]'
            )
        steps.append(step)
        at = match.end()
    if not steps:
        raise ValueError("a JSON path may not be empty: write one like data.items[0].state")
    return tuple(steps)


def _step(match: "re.Match[str]", is_first: bool) -> "str | int | None":
    dot, name, index, quoted = match.groups()
    if bool(dot) != (name is not None and not is_first):
        return None
    if index is not None:
        return int(index)
    try:
        return name if quoted is None else str(json.loads(quoted))
    except ValueError:
        return None


def find(document: "Any", path: str) -> "Any":
    """Return the value at ``path``; PathMissing if there is none."""
    steps = parse(path)
    value = document
    for count, step in enumerate(steps):
        if not _has(value, step):
            there = write(steps[:count]) or "the answer"
            shown = f"index {step}" if isinstance(step, int) else f"'{step}'"
            raise PathMissing(
                f"there is no {shown} in {there}, which is {kind_of(value)}",
                at_end=count == len(steps) - 1 and (value is None or _fits(value, step)),
            )
        value = value[step]
    return value


def write(steps: "Steps") -> str:
    """Return the path that consists of ``steps``."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_NAME.fullmatch(step):
            text += "." + step if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def kind_of(value: "Any") -> str:
    """Say what kind of value it is, and the names that it has: no value, which may be a secret."""
    if isinstance(value, dict):
        names = [f"'{name[:_LONGEST_NAME]}'" for name in list(value)[:_MOST_NAMES]]
        more = ", …" if len(value) > _MOST_NAMES else ""
        return f"a mapping with {', '.join(names)}{more}" if names else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value)} items" if value else "an empty list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "a number"


def _fits(value: "Any", step: "str | int") -> bool:
    return isinstance(value, list if isinstance(step, int) else dict)


def _has(value: "Any", step: "str | int") -> bool:
    if isinstance(step, int):
        return isinstance(value, list) and step < len(value)
    return isinstance(value, dict) and step in value
