"""``leoflow backfill``: runs for the data intervals of a time that is past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from leoflow_cli.client.option import takes_server
from leoflow_cli.group import ListingGroup
from leoflow_cli.option import json_option, parse_date, parse_object
from leoflow_cli.outcome import RUN_FAILED
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_cli.client.api import Api

id_argument = click.argument("backfill_id", metavar="ID", type=click.IntRange(0))


@click.group("backfill", cls=ListingGroup)
def command() -> None:
    """Run a DAG for each data interval between two dates; list, pause and cancel that."""


@command.command("create")
@click.argument("dag_id", metavar="DAG_ID")
@click.option("--from", "from_date", metavar="DATE", required=True, help="The first day, or date.")
@click.option("--to", "to_date", metavar="DATE", required=True, help="The last one, included.")
@click.option(
    "--max-active-runs",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="So many of its runs at once.",
)
@click.option(
    "--reprocess",
    type=click.Choice(["none", "failed", "completed"]),
    default="none",
    show_default=True,
    help="Which runs that are there already run again.",
)
@click.option("--backwards", is_flag=True, help="The newest interval first.")
@click.option("--conf", "conf_text", metavar="JSON", help="The conf of each run.")
@click.option("--wait", is_flag=True, help="Stay until it is over; Ctrl-C leaves it running.")
@json_option
@takes_server
@click.pass_context
def create(
    context: click.Context,
    /,
    api: Api,
    dag_id: str,
    conf_text: str | None,
    wait: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Begin a backfill. Exit code with --wait: 1 if one of its runs failed."""
    body = {
        "dag_id": dag_id,
        "from_date": parse_date(asked["from_date"], "--from"),
        "to_date": parse_date(asked["to_date"], "--to"),
        "max_active_runs": asked["max_active_runs"],
        "reprocess_behavior": asked["reprocess"],
        "run_backwards": asked["backwards"],
        "dag_run_conf": parse_object(conf_text, "--conf"),
    }
    screen = Screen()
    backfill = api.post("/backfills", body)
    screen.line(f"backfill {backfill['id']} of DAG '{dag_id}' has begun", style="bold")
    failed = 0
    if wait:
        from leoflow_cli.client.backfill import await_backfill

        backfill, counts = await_backfill(api, backfill, screen)
        failed = counts.get("failed", 0)
        backfill = {**backfill, "runs": counts}
    if as_json:
        print_json(backfill)
    if failed:
        context.exit(RUN_FAILED)


@command.command("list")
@click.argument("dag_id", metavar="[DAG_ID]", required=False)
@json_option
@takes_server
def list_backfills(api: Api, dag_id: str | None, as_json: bool) -> None:
    """List the backfills, of one DAG or of all."""
    from leoflow_cli.moment import local
    from leoflow_cli.table import Column, show

    query = {} if dag_id is None else {"dag_id": dag_id}
    found, total = api.all_of("/backfills", "backfills", query)
    screen = Screen()
    columns = (
        Column("id", to_right=True),
        Column("dag_id"),
        Column("state"),
        Column("from", 1),
        Column("to", 1),
        Column("runs at once", 3, to_right=True),
        Column("begun", 2),
    )
    rows = [
        (
            str(one["id"]),
            one["dag_id"],
            _state(one),
            local(one["from_date"]),
            local(one["to_date"]),
            str(one["max_active_runs"]),
            local(one["created_at"]),
        )
        for one in found
    ]
    if found:
        show(columns, rows, screen)
    else:
        screen.line("no backfill")
    if as_json:
        print_json({"backfills": found, "total_entries": total})


@command.command("pause")
@id_argument
@json_option
@takes_server
def pause(api: Api, backfill_id: int, as_json: bool) -> None:
    """Start no more runs of a backfill; those that run go on."""
    _change(api, backfill_id, "pause", "is paused", as_json)


@command.command("unpause")
@id_argument
@json_option
@takes_server
def unpause(api: Api, backfill_id: int, as_json: bool) -> None:
    """Go on with a backfill."""
    _change(api, backfill_id, "unpause", "goes on", as_json)


@command.command("cancel")
@id_argument
@json_option
@takes_server
def cancel(api: Api, backfill_id: int, as_json: bool) -> None:
    """End a backfill: its runs that have not begun do not begin."""
    _change(api, backfill_id, "cancel", "is cancelled", as_json)


def _change(api: Api, backfill_id: int, action: str, text: str, as_json: bool) -> None:
    from leoflow_cli.client.api import path

    backfill = api.put(path("backfills", backfill_id, action))
    Screen().line(f"backfill {backfill_id} {text}")
    if as_json:
        print_json(backfill)


def _state(backfill: dict[str, Any]) -> str:
    if backfill["completed_at"] is not None:
        return "over"
    return "paused" if backfill["is_paused"] else "running"
