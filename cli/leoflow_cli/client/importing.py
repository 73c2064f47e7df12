"""Brings what Airflow exported into a control plane's store. The files are Airflow's own JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal

import click

from leoflow_cli.client.answer import Refused
from leoflow_cli.client.api import Api, path
from leoflow_cli.outcome import InvalidInput
from leoflow_cli.screen import Screen

OnExisting = Literal["fail", "skip", "overwrite"]


def read_export(file: Path) -> dict[str, Any]:
    """Return the object in a file that Airflow exported; "-" is stdin. Raises InvalidInput."""
    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            text = stream.read()
    except OSError as error:
        raise InvalidInput(
            f"'{file}' cannot be read: {error.strerror}. Name a file that Airflow exported, or -"
        ) from None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInput(
            f"'{file}' is not JSON: {error}. Export with a name that ends in .json"
        ) from None
    if not isinstance(found, dict):
        raise InvalidInput(f"'{file}' holds no object of names and values, as Airflow exports it")
    return found


def choose(wanted: Iterable[str], there: Collection[str], on_existing: OnExisting) -> list[str]:
    """Return the names that are to be written. Raises InvalidInput for 'fail'."""
    names = list(wanted)
    existing = [name for name in names if name in there]
    if existing and on_existing == "fail":
        shown = ", ".join(f"'{name}'" for name in existing)
        raise InvalidInput(
            f"nothing was imported: the control plane has {shown} already. Say "
            "--on-existing skip or --on-existing overwrite"
        )
    return [name for name in names if on_existing != "skip" or name not in there]


def put(api: Api, collection: str, name: str, body: dict[str, Any]) -> bool:
    """Make an entry of a collection, or change the one that is there; tell whether it is new."""
    try:
        api.post(path(collection), body)
    except Refused as refused:
        if refused.status != 409:
            raise
        api.patch(path(collection, name), body)
        return False
    return True


def tell(imported: Collection[str], wanted: Collection[str], noun: str, screen: Screen) -> None:
    """Say how much of what was wanted has been written."""
    from leoflow_builder.problem import count

    left = len(wanted) - len(imported)
    screen.line(f"imported {count(len(imported), noun)}" + (f", skipped {left}" if left else ""))
