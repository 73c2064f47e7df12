"""JSON with one text for one value, so that what is made of the same facts has the same digest."""

from __future__ import annotations

import json
from datetime import UTC, datetime


def canonical_json(document: object) -> bytes:
    """Return a document as JSON: keys sorted, nothing between the tokens."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def rfc3339(instant: int) -> str:
    """Return seconds since the epoch as "2026-01-31T12:00:00Z"."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
