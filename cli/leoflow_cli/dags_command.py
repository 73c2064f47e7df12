"""``leoflow dags``: the DAGs that a control plane knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from leoflow_cli.client.option import takes_server
from leoflow_cli.group import ListingGroup
from leoflow_cli.option import json_option
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_cli.client.api import Api

dag_argument = click.argument("dag_id", metavar="DAG_ID")


@click.group("dags", cls=ListingGroup)
def command() -> None:
    """List the DAGs of a control plane, show one, pause it, or delete it."""


@command.command("list")
@json_option
@takes_server
def list_dags(api: Api, as_json: bool) -> None:
    """List all DAGs, with their schedule and when they run next."""
    from leoflow_cli.moment import local
    from leoflow_cli.table import Column, show

    dags, total = api.all_of("/dags", "dags")
    screen = Screen()
    columns = (
        Column("dag_id"),
        Column("schedule", 1),
        Column("paused"),
        Column("next run", 2),
        Column("tags", 4),
        Column("description", 5),
    )
    rows = [
        (
            dag["dag_id"],
            dag["timetable_summary"] or "manual",
            "paused" if dag["is_paused"] else "",
            "" if dag["is_paused"] else local(dag["next_dagrun_run_after"]),
            ", ".join(tag["name"] for tag in dag["tags"]),
            dag["description"] or "",
        )
        for dag in dags
    ]
    if dags:
        show(columns, rows, screen)
    else:
        screen.line("no DAG yet; register one:  leoflow push DIR")
    if as_json:
        print_json({"dags": dags, "total_entries": total})


@command.command("show")
@dag_argument
@json_option
@takes_server
def show_dag(api: Api, dag_id: str, as_json: bool) -> None:
    """Show what is known of one DAG."""
    from leoflow_cli.client.api import path
    from leoflow_cli.moment import local

    dag = api.get(path("dags", dag_id, "details"))
    screen = Screen()
    version = dag.get("latest_dag_version") or {}
    facts = {
        "description": dag["description"],
        "version": version.get("version_number"),
        "pushed": local(version.get("created_at")),
        "schedule": dag["timetable_summary"] or "manual",
        "time zone": dag.get("timezone"),
        "start": local(dag.get("start_date")),
        "end": local(dag.get("end_date")),
        "catchup": dag.get("catchup"),
        "next run": local(dag["next_dagrun_run_after"]),
        "paused": dag["is_paused"],
        "runs at once": dag["max_active_runs"],
        "tasks at once": dag["max_active_tasks"],
        "tags": ", ".join(tag["name"] for tag in dag["tags"]),
        "params": _params(dag.get("params") or {}),
    }
    screen.line(dag_id, style="bold")
    for name, value in facts.items():
        if value not in (None, ""):
            screen.line(f"  {name:<16}{_shown(value)}")
    if as_json:
        print_json(dag)


@command.command("pause")
@dag_argument
@json_option
@takes_server
def pause(api: Api, dag_id: str, as_json: bool) -> None:
    """Make no more scheduled runs of a DAG, and let no more of its tasks begin."""
    _set_paused(api, dag_id, True, as_json)


@command.command("unpause")
@dag_argument
@json_option
@takes_server
def unpause(api: Api, dag_id: str, as_json: bool) -> None:
    """Make scheduled runs of a DAG again."""
    _set_paused(api, dag_id, False, as_json)


@command.command("delete")
@dag_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
@takes_server
def delete(api: Api, dag_id: str, yes: bool, as_json: bool) -> None:
    """Forget a DAG with all its versions and runs."""
    from leoflow_cli.client.api import path

    where = path("dags", dag_id)
    if not yes:
        total = api.get(path("dags", dag_id, "dagRuns"), {"limit": 1})["total_entries"]
        question = f"Forget DAG '{dag_id}', its versions and the history of its {total} runs?"
        click.confirm(question, abort=True, err=True)
    api.delete(where)
    Screen().line(f"DAG '{dag_id}' is forgotten")
    if as_json:
        print_json({"dag_id": dag_id, "deleted": True})


@command.command("versions")
@dag_argument
@json_option
@takes_server
def versions(api: Api, dag_id: str, as_json: bool) -> None:
    """List the versions of a DAG, newest first, with the image of each."""
    from leoflow_cli.client.api import path
    from leoflow_cli.moment import local
    from leoflow_cli.table import Column, show

    query = {"order_by": "-version_number"}
    found, total = api.all_of(path("dags", dag_id, "dagVersions"), "dag_versions", query)
    columns = (
        Column("version", to_right=True),
        Column("pushed", 1),
        Column("image"),
        Column("digest", 2),
    )
    rows = [
        (
            str(one["version_number"]),
            local(one["created_at"]),
            one["bundle_name"] or "",
            one["bundle_version"] or "",
        )
        for one in found
    ]
    show(columns, rows, Screen())
    if as_json:
        print_json({"dag_versions": found, "total_entries": total})


def _set_paused(api: Api, dag_id: str, paused: bool, as_json: bool) -> None:
    from leoflow_cli.client.api import path

    dag = api.patch(path("dags", dag_id), {"is_paused": paused})
    text = "paused; what runs goes on, and nothing new begins" if paused else "no longer paused"
    Screen().line(f"DAG '{dag_id}' is {text}")
    if as_json:
        print_json(dag)


def _params(params: dict[str, Any]) -> str:
    """Show params in one line; the API has each in an object with its schema."""
    values = {name: one["value"] for name, one in params.items()}
    return json.dumps(values, ensure_ascii=False) if values else ""


def _shown(value: Any) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
