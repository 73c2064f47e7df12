"""What the engine scripts tell people, and how they give up. It decides nothing."""

import sys


class EngineUnavailable(Exception):
    """No engine can be had here; the text says what is missing."""


def say(text: str) -> None:
    """Write one line for people; standard output belongs to the command."""
    print(f"engine: {text}", file=sys.stderr, flush=True)
