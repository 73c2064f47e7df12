"""Where leoflow keeps what outlives a command."""

from __future__ import annotations

import os
from pathlib import Path

from leoflow_cli.outcome import Unusable


def leoflow_home() -> Path:
    """Return LEOFLOW_HOME, else ``.leoflow`` in the user's home; made if it is missing.

    Raises Unusable if nothing can be written there.
    """
    home = Path(os.environ.get("LEOFLOW_HOME") or Path.home() / ".leoflow").absolute()
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
