"""Loads httpx without its command line, which takes as long to load as all the rest of it.

httpx goes without it where rich is not installed (`httpx/__init__.py`), and so it does here.
"""

from __future__ import annotations

import sys

_COMMAND_LINE = "httpx._main"


def load_httpx() -> None:
    """Import httpx; nothing is different if something else has imported it before."""
    if "httpx" in sys.modules:
        return
    # What is None in there cannot be imported (docs.python.org, "The module cache").
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]
    try:
        import httpx  # noqa: F401
    finally:
        del sys.modules[_COMMAND_LINE]
