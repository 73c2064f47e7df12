"""Takes a secret from a person or a program so that it need not be in the shell's history."""

from __future__ import annotations

import sys

import click

from leoflow_cli.outcome import InvalidInput

STDIN = "-"


def read_value(given: str | None, what: str) -> str:
    """Return ``given``; what stdin holds for "-"; else what is typed without being shown.

    One line break at the end of stdin is not part of the value. InvalidInput if nobody can type.
    """
    if given == STDIN:
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"no value for {what}: give it as an argument, or on stdin with '{STDIN}'"
        )
    return str(click.prompt(f"Value of {what}", hide_input=True, err=True))
