"""Where leoflow keeps what outlives a command."""

from __future__ import annotations

import os
from pathlib import Path


def leoflow_home() -> Path:
    """Return LEOFLOW_HOME, else ``.leoflow`` in the user's home; made if it is missing."""
    home = Path(os.environ.get("LEOFLOW_HOME") or Path.home() / ".leoflow").absolute()
    home.mkdir(parents=True, exist_ok=True)
    return home
