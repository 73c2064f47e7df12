"""``leoflow tokens``: who may ask a control plane, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from leoflow_cli.client.option import takes_server
from leoflow_cli.group import ListingGroup
from leoflow_cli.option import json_option, parse_date
from leoflow_cli.outcome import InvalidInput
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_cli.client.api import Api

ROLES = ("viewer", "admin")
name_argument = click.argument("name", metavar="NAME")


@click.group("tokens", cls=ListingGroup)
def command() -> None:
    """List the tokens that a control plane accepts, make new ones, and delete them."""


@command.command("list")
@json_option
@takes_server
def list_tokens(api: Api, as_json: bool) -> None:
    """List all tokens by name; what they are is not kept anywhere."""
    from leoflow_cli.moment import local
    from leoflow_cli.table import Column, show

    found, total = api.all_of("/tokens", "tokens")
    columns = (
        Column("name"),
        Column("role"),
        Column("made", 2),
        Column("last used", 1),
        Column("expires", 3),
    )
    dates = ("created_at", "last_used_at", "expires_at")
    rows = [(one["name"], one["role"], *(local(one[key]) for key in dates)) for one in found]
    show(columns, rows, Screen())
    if as_json:
        print_json({"tokens": found, "total_entries": total})


@command.command("create")
@name_argument
@click.option(
    "--role",
    type=click.Choice(ROLES),
    required=True,
    help="viewer: may look at everything but secrets. admin: may do everything.",
)
@click.option("--expires", metavar="DATE", help="When it is no longer accepted; never if absent.")
@json_option
@takes_server
def create(api: Api, name: str, role: str, expires: str | None, as_json: bool) -> None:
    """Make a token and print it on stdout. It is shown this once."""
    expires_at = parse_date(expires, "--expires")
    made = api.post("/tokens", {"name": name, "role": role, "expires_at": expires_at})
    screen = Screen()
    screen.line(f"token '{name}' may do what a {role} may. It is not shown again:", style="green")
    if as_json:
        print_json(made)
    else:
        click.echo(made["token"])


@command.command("delete")
@name_argument
@json_option
@takes_server
def delete(api: Api, name: str, as_json: bool) -> None:
    """Delete a token; from now on it is refused."""
    from leoflow_builder.problem import did_you_mean

    from leoflow_cli.client.api import path

    ids = {one["name"]: one["id"] for one in api.all_of("/tokens", "tokens")[0]}
    if name not in ids:
        raise InvalidInput(f"there is no token '{name}'.{did_you_mean(name, ids)}")
    api.delete(path("tokens", ids[name]))
    Screen().line(f"token '{name}' is deleted")
    if as_json:
        print_json({"name": name, "deleted": True})
