"""``leoflow trigger``: a run of a DAG that a control plane knows, watched to its end if wished."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from leoflow_cli.client.option import takes_server
from leoflow_cli.option import json_option, parse_date, parse_object
from leoflow_cli.outcome import RUN_FAILED, InvalidInput
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_cli.client.api import Api


@click.command("trigger")
@click.argument("dag_id", metavar="DAG_ID")
@click.option("--conf", "conf_text", metavar="JSON", help="The run's conf; it overrides params.")
@click.option("--logical-date", metavar="DATE", help="ISO 8601; now if it is not given.")
@click.option("--run-id", metavar="ID", help="The run's id; made of type and date if not given.")
@click.option("--note", metavar="TEXT", help="What people should know of this run.")
@click.option("--wait", is_flag=True, help="Watch the run to its end; Ctrl-C leaves it running.")
@click.option("--logs", is_flag=True, help="With --wait: show what its tasks print.")
@json_option
@takes_server
@click.pass_context
def command(
    context: click.Context,
    /,
    api: Api,
    dag_id: str,
    conf_text: str | None,
    logical_date: str | None,
    run_id: str | None,
    note: str | None,
    wait: bool,
    logs: bool,
    as_json: bool,
) -> None:
    """Start a run of the DAG with this id.

    Exit code with --wait, 0: success, 1: the run failed. Always, 2: invalid input, 3: the machinery
    failed.
    """
    from leoflow_cli.client.api import path
    from leoflow_cli.client.watching import left_alone, watch_to_end

    if logs and not wait:
        raise InvalidInput("--logs goes with --wait")
    asked = {
        "dag_run_id": run_id,
        "logical_date": parse_date(logical_date, "--logical-date"),
        "conf": parse_object(conf_text, "--conf"),
        "note": note,
    }
    screen = Screen()
    run = api.post(path("dags", dag_id, "dagRuns"), asked)
    with left_alone(run, screen):
        screen.line(f"{dag_id}  {run['dag_run_id']}  {run['state']}", style="bold")
        if wait:
            document = watch_to_end(api, run, logs, screen)
        else:
            name = shlex.join([dag_id, run["dag_run_id"]])
            screen.line(f"look at it:  leoflow runs show {name}", style="dim")
            document = {"run_id": run["dag_run_id"], **run}
    if as_json:
        print_json(document)
    if wait and document["state"] != "success":
        context.exit(RUN_FAILED)
