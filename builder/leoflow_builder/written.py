"""Has what people write checked by its model, once for the same words.

The models take long to load, so they are imported for words that were not seen before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from leoflow_builder.memo import Memo

Kind = Literal["task", "dag", "http"]
Path = tuple[str | int, ...]


class Complaint(NamedTuple):
    """One mistake; ``path`` leads to it from the model's root."""

    path: Path
    message: str


class Refused(Exception):
    """Something that was written is wrong; ``complaints`` are all mistakes, never empty."""

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        super().__init__("\n".join(one.message for one in complaints))
        self.complaints = list(complaints)


def check(memo: Memo, kind: Kind, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what was written, as its model has it and without what was not said; else Refused."""
    if not values and kind != "http":
        return {}
    text = json.dumps(values)
    known: Mapping[str, Any] | None = memo.recall(kind, text)
    if known is None:
        from leoflow_builder.writtenmodel import validate

        known = validate(kind, values)
        memo.keep(kind, text, known)
    return known
