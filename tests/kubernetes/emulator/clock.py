"""Instants as the API writes them: whole seconds of UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_text(later_seconds: float = 0.0) -> str:
    """Write the present instant, or a later one; a part of a second is cut off."""
    at = datetime.fromtimestamp(int(time.time() + later_seconds), UTC)
    return at.isoformat().replace("+00:00", "Z")
