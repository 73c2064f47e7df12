"""What is printed without rich, which takes longer to import than an unchanged build takes."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

MEGABYTE = 1_000_000


def print_json(document: Any) -> None:
    """Print the one object that --json promises on stdout, escaped where that cannot take it."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        # There is no stdout where it was closed (`>&-`).
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        # Half of a pair of UTF-16, which no encoding has, or a terminal that is not of UTF-8.
        text = json.dumps(document, indent=2)
    click.echo(text)


def megabytes(size_bytes: int | None) -> str:
    """Return a size for people: "12.3 MB", "4.1 kB", or "?" where it is not known."""
    if size_bytes is None:
        return "?"
    if size_bytes < MEGABYTE:
        return f"{size_bytes / 1000:.1f} kB"
    return f"{size_bytes / MEGABYTE:.1f} MB"
