"""``leoflow connections``: the connections in a control plane's store, for tasks that ask."""

from __future__ import annotations

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

name_argument = click.argument("name", metavar="CONN_ID")


@click.group("connections", cls=ListingGroup)
def command() -> None:
    """List the connections of a control plane, set them, import Airflow's, and delete them."""


@command.command("list")
@json_option
@takes_server
def list_connections(api: Api, as_json: bool) -> None:
    """List all connections, without their secrets."""
    from leoflow_cli.table import Column, show

    found, total = api.all_of("/connections", "connections")
    screen = Screen()
    columns = (
        Column("conn_id"),
        Column("type"),
        Column("host", 1),
        Column("port", 2, to_right=True),
        Column("login", 3),
        Column("schema", 4),
        Column("description", 5),
    )
    keys = ("connection_id", "conn_type", "host", "port", "login", "schema", "description")
    rows = [[_shown(one[key]) for key in keys] for one in found]
    if found:
        show(columns, rows, screen)
    else:
        screen.line("no connection; set one:  leoflow connections set CONN_ID")
    if as_json:
        print_json({"connections": found, "total_entries": total})


@command.command("get")
@name_argument
@json_option
@takes_server
def get(api: Api, name: str, as_json: bool) -> None:
    """Show a connection; the control plane masks its password, and secrets in 'extra'."""
    from leoflow_cli.client.api import path
    from leoflow_cli.client.connection import FIELDS

    found = api.get(path("connections", name))
    screen = Screen()
    screen.line(name, style="bold")
    for field in FIELDS:
        if found[field] is not None:
            screen.line(f"  {field:<12}{found[field]}")
    if as_json:
        print_json(found)


@command.command("set")
@name_argument
@click.argument("value", metavar="[URI|JSON|-]", required=False)
@click.option("--description", metavar="TEXT", help="What it is for.")
@json_option
@takes_server
def set_one(api: Api, name: str, value: str | None, description: str | None, as_json: bool) -> None:
    """Set a connection: to a URI or JSON as in AIRFLOW_CONN_…, to what stdin holds (-), or to
    what you type unseen."""
    from leoflow_cli.client.connection import read_connection
    from leoflow_cli.client.importing import put
    from leoflow_cli.client.secretvalue import read_value

    body = read_connection(name, read_value(value, f"connection '{name}'"))
    if description is not None:
        body["description"] = description
    created = put(api, "connections", name, body)
    Screen().line(f"connection '{name}' is {'set' if created else 'changed'}")
    if as_json:
        print_json({"connection_id": name, "created": created})


@command.command("delete")
@name_argument
@json_option
@takes_server
def delete(api: Api, name: str, as_json: bool) -> None:
    """Delete a connection."""
    from leoflow_cli.client.api import path

    api.delete(path("connections", name))
    Screen().line(f"connection '{name}' is deleted")
    if as_json:
        print_json({"connection_id": name, "deleted": True})


@command.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@on_existing_option
@json_option
@takes_server
def import_all(api: Api, file: Path, on_existing: OnExisting, as_json: bool) -> None:
    """Import what `airflow connections export FILE` wrote."""
    from leoflow_cli.client import importing
    from leoflow_cli.client.connection import read_connection

    found = {
        name: read_connection(name, value) for name, value in importing.read_export(file).items()
    }
    there = {one["connection_id"] for one in api.all_of("/connections", "connections")[0]}
    names = importing.choose(found, there, on_existing)
    for name in names:
        importing.put(api, "connections", name, found[name])
    importing.tell(names, found, "connection", Screen())
    if as_json:
        print_json({"imported": names, "skipped": [one for one in found if one not in names]})


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
