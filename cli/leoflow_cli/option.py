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


def parse_date(text: str | None, option: str) -> str | None:
    """Return a date as ISO 8601 with an offset, UTC if it has none. Raises InvalidInput."""
    from datetime import UTC, datetime

    if text is None:
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{option} '{text}' is no date: write it as 2026-01-31 or 2026-01-31T06:00+01:00"
        ) from None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).isoformat()


def split_platforms(text: str | None) -> tuple[str, ...]:
    """Return the platforms of a list with commas, each once."""
    return tuple(dict.fromkeys(one.strip() for one in (text or "").split(",") if one.strip()))
