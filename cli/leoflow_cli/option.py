"""Arguments that several subcommands share, and the values that are written as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from leoflow_cli.outcome import InvalidInput

project_argument = click.argument(
    "folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path()
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else."
)


def parse_object(text: str | None, option: str) -> dict[str, Any]:
    """Return the JSON object that was given to ``option``; {} for None. Raises InvalidInput."""
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{option} {text!r} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput(f"{option} has to be a JSON object, such as '{{\"key\": 1}}'")
    return value
