"""Label and field selectors, as query parameters have them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from emulator.refusal import bad_request

Test = Callable[[Mapping[str, Any]], bool]
Labels = Mapping[str, str]

_SET = re.compile(r"^\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_PAIR = re.compile(r"^\s*([^=!\s]+)\s*(==|=|!=)\s*([^=!\s]*)\s*$")
_BARE = re.compile(r"^\s*(!?)\s*([^=!\s()]+)\s*$")


def read_selectors(labels: str, fields: str) -> Test:
    """Give the test on whole objects that both selectors together are; Refusal if unreadable."""
    tests = [_label_test(part) for part in _split(labels)]
    wanted = [_field_test(part) for part in _split(fields)]

    def matches(item: Mapping[str, Any]) -> bool:
        found = item["metadata"].get("labels") or {}
        return all(test(found) for test in tests) and all(test(item) for test in wanted)

    return matches


def _split(text: str) -> list[str]:
    return [part for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _label_test(part: str) -> Callable[[Labels], bool]:
    if found := _SET.match(part):
        key, verb, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if verb == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _PAIR.match(part):
        key, sign, value = found.groups()
        if sign == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _BARE.match(part):
        negated, key = found.groups()
        return lambda labels: (key in labels) is not bool(negated)
    raise bad_request(f'unable to parse requirement: found "{part}"')


def _field_test(part: str) -> Test:
    found = _PAIR.match(part)
    if found is None:
        raise bad_request(f"invalid field selector: '{part}'")
    path, sign, value = found.groups()

    def matches(item: Mapping[str, Any]) -> bool:
        at: Any = item
        for step in path.split("."):
            at = at.get(step) if isinstance(at, Mapping) else None
        return (str("" if at is None else at) == value) is (sign != "!=")

    return matches
