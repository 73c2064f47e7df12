"""``leoflow variables``: the variables in a control plane's store, for tasks that declare them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leoflow_cli.client.option import on_existing_option, takes_server
from leoflow_cli.group import ListingGroup
from leoflow_cli.option import json_option
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_cli.client.api import Api
    from leoflow_cli.client.importing import OnExisting

VALUE_WIDTH = 60
name_argument = click.argument("name", metavar="NAME")


@click.group("variables", cls=ListingGroup)
def command() -> None:
    """List the variables of a control plane, set them, import Airflow's, and delete them."""


@command.command("list")
@json_option
@takes_server
def list_variables(api: Api, as_json: bool) -> None:
    """List all variables; the control plane masks those whose names tell of secrets."""
    from leoflow_cli.table import Column, show

    found, total = api.all_of("/variables", "variables")
    screen = Screen()
    columns = (Column("name"), Column("value", 1), Column("description", 2))
    rows = [(one["key"], _shortened(one["value"]), one["description"] or "") for one in found]
    if found:
        show(columns, rows, screen)
    else:
        screen.line("no variable; set one:  leoflow variables set NAME")
    if as_json:
        print_json({"variables": found, "total_entries": total})


@command.command("get")
@name_argument
@json_option
@takes_server
def get(api: Api, name: str, as_json: bool) -> None:
    """Print the value of a variable on stdout; masked, if its name tells of a secret."""
    from leoflow_cli.client.api import path

    found = api.get(path("variables", name))
    if as_json:
        print_json(found)
    else:
        click.echo(found["value"], color=True)


@command.command("set")
@name_argument
@click.argument("value", metavar="[VALUE|-]", required=False)
@click.option("--description", metavar="TEXT", help="What it is for.")
@json_option
@takes_server
def set_one(api: Api, name: str, value: str | None, description: str | None, as_json: bool) -> None:
    """Set a variable: to VALUE, to what stdin holds (-), or to what you type unseen."""
    from leoflow_builder.identifier import SECRET_PATTERN

    from leoflow_cli.client.importing import put
    from leoflow_cli.client.secretvalue import read_value

    text = read_value(value, f"variable '{name}'")
    created = put(api, "variables", name, _body(name, text, description))
    screen = Screen()
    screen.line(f"variable '{name}' is {'set' if created else 'changed'}")
    if not re.fullmatch(SECRET_PATTERN, name, re.ASCII):
        screen.line(
            "no task can be given it: a task declares names of letters, digits and _",
            style="yellow",
        )
    if as_json:
        print_json({"key": name, "created": created})


@command.command("delete")
@name_argument
@json_option
@takes_server
def delete(api: Api, name: str, as_json: bool) -> None:
    """Delete a variable."""
    from leoflow_cli.client.api import path

    api.delete(path("variables", name))
    Screen().line(f"variable '{name}' is deleted")
    if as_json:
        print_json({"key": name, "deleted": True})


@command.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@on_existing_option
@json_option
@takes_server
def import_all(api: Api, file: Path, on_existing: OnExisting, as_json: bool) -> None:
    """Import what `airflow variables export FILE` wrote."""
    from leoflow_cli.client import importing

    found = importing.read_export(file)
    there = {one["key"] for one in api.all_of("/variables", "variables")[0]}
    names = importing.choose(found, there, on_existing)
    for name in names:
        importing.put(api, "variables", name, _imported(name, found[name]))
    importing.tell(names, found, "variable", Screen())
    if as_json:
        print_json({"imported": names, "skipped": [one for one in found if one not in names]})


def _imported(name: str, value: Any) -> dict[str, Any]:
    """Read an entry as Airflow's own import does: a value, or an object with it in "value"."""
    description = None
    if isinstance(value, dict) and "value" in value:
        value, description = value["value"], value.get("description")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _body(name, text, description)


def _body(name: str, value: str, description: str | None) -> dict[str, Any]:
    body = {"key": name, "value": value}
    # What is not said stays as it is.
    return body if description is None else {**body, "description": description}


def _shortened(value: str | None) -> str:
    text = value or ""
    return text if len(text) <= VALUE_WIDTH else text[: VALUE_WIDTH - 1] + "…"
