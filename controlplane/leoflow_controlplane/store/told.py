"""Changes of state as the journal keeps them: those of one run that became durable together are one
row, since a row for each costs more than all that is in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from leoflow_controlplane.book.draft import StateChange
from leoflow_controlplane.jsontext import encode


def write_changes(changes: Sequence[StateChange]) -> str:
    """Write changes as the text of a row of the kind ``states``."""
    return encode(changes).decode()


def read_changes(text: str) -> list[StateChange]:
    """Read them again, in order."""
    return [tuple(change) for change in json.loads(text)]
