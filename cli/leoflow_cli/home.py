"""Where leoflow keeps what outlives a command."""

from __future__ import annotations

import os
from pathlib import Path

from leoflow_cli.outcome import Unusable


def home_path() -> Path:
    """Return LEOFLOW_HOME, else ``.leoflow`` in the user's home; it need not be there."""
    return Path(os.environ.get("LEOFLOW_HOME") or Path.home() / ".leoflow").absolute()


def leoflow_home() -> Path:
    """Return ``home_path()``, made if it is missing; Unusable if nothing can be written there."""
    home = home_path()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise _unusable(home, "it is not a folder") from None
    except OSError as error:
        raise _unusable(home, error.strerror) from None
    if not os.access(home, os.W_OK):
        raise _unusable(home, "it is not writable")
    return home


def _unusable(home: Path, reason: str | None) -> Unusable:
    return Unusable(
        f"'{home}' cannot keep leoflow's state: {reason}. Set LEOFLOW_HOME to a writable folder"
    )
