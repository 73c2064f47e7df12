"""What a cluster has left out of a Pod that it was sent. Pure.

Fields that an API server does not know it refuses, if it is asked to; those of a feature that is
switched off it drops without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def find_dropped(sent: Any, answered: Any, path: str = "") -> Iterator[str]:
    """Yield the path of each field that is in a Pod as it was sent and not as it was taken.

    What values became is not looked at: they are put in another form, and webhooks may change
    them. Nor is what is empty, which is left out.
    """
    if isinstance(sent, Mapping):
        there = answered if isinstance(answered, Mapping) else {}
        for name, value in sent.items():
            below = f"{path}.{name}" if path else str(name)
            if there.get(name) is not None:
                yield from find_dropped(value, there[name], below)
            elif value:
                yield below
    elif isinstance(sent, list) and isinstance(answered, list):
        yield from _find_in_list(sent, answered, path)


def _find_in_list(sent: Sequence[Any], answered: Sequence[Any], path: str) -> Iterator[str]:
    named: dict[str, list[Any]] = {}
    for one in answered:
        if isinstance(one, Mapping) and "name" in one:
            named.setdefault(one["name"], []).append(one)
    for number, item in enumerate(sent):
        name = item.get("name") if isinstance(item, Mapping) else None
        if name is not None:
            yield from _find_in_likeliest(item, named.get(name, ()), f"{path}[{name}]")
        elif len(sent) == len(answered):
            yield from find_dropped(item, answered[number], f"{path}[{number}]")


def _find_in_likeliest(item: Any, namesakes: Sequence[Any], path: str) -> Iterator[str]:
    """Compare with what lacks the least: a volume may be mounted more than once."""
    yield from min(([*find_dropped(item, one, path)] for one in namesakes), key=len, default=[path])
