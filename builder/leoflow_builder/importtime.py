"""Reads what `python -X importtime` writes: which import took how long, and inside of which other.

Pure. Times are microseconds, as the interpreter gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

# CPython writes "import time: %9ld | %10ld | %*s%s", two spaces for each level, children first.
# What a module prints without a newline stands before it on the same line.
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ((?:  )*)(\S.*)$")


@dataclass(frozen=True)
class Import:
    """One import. ``cumulative_us`` is ``self_us`` and what its ``children`` took."""

    name: str
    self_us: int
    cumulative_us: int
    children: tuple[Import, ...] = ()


def parse_importtime(text: str) -> tuple[Import, ...]:
    """Return the imports that no other import caused, in the order in which they ended.

    Lines of anything else are passed over.
    """
    pending: list[tuple[int, Import]] = []
    for line in text.splitlines():
        match = _LINE.search(line)
        if match is None:
            continue
        depth = len(match[3]) // 2
        children = []
        while pending and pending[-1][0] > depth:
            children.append(pending.pop()[1])
        found = Import(match[4].rstrip(), int(match[1]), int(match[2]), tuple(reversed(children)))
        pending.append((depth, found))
    return tuple(node for _, node in pending)


def walk(roots: Iterable[Import]) -> Iterator[Import]:
    """Yield every import, each before its children."""
    for node in roots:
        yield node
        yield from walk(node.children)


def slowest(roots: Sequence[Import], number: int) -> tuple[Import, ...]:
    """Return the trees of the ``number`` imports with the most cumulative time, slowest first.

    An import is never slower than the one that caused it, so what is left is whole trees.
    """
    # Of equals the outer one comes first, as the sort is stable.
    ranked = sorted(walk(roots), key=lambda node: -node.cumulative_us)
    kept = {id(node) for node in ranked[:number]}
    return _keep(roots, kept)


def _keep(nodes: Iterable[Import], kept: set[int]) -> tuple[Import, ...]:
    left = [
        replace(node, children=_keep(node.children, kept)) for node in nodes if id(node) in kept
    ]
    return tuple(sorted(left, key=lambda node: -node.cumulative_us))
