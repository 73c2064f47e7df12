"""``leoflow runs``: the runs of a control plane, and what may be done to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from leoflow_cli.client.option import takes_run, takes_server
from leoflow_cli.group import ListingGroup
from leoflow_cli.option import json_option
from leoflow_cli.outcome import InvalidInput
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_cli.client.api import Api

DEFAULT_LIMIT = 20
STATES = ("queued", "running", "success", "failed")
MARKS = ("success", "failed", "skipped")


@click.group("runs", cls=ListingGroup)
def command() -> None:
    """List the runs of a control plane; show one, cancel it, run it again.

    RUN_ID may be 'latest': the DAG's newest run.
    """


@command.command("list")
@click.argument("dag_id", metavar="[DAG_ID]", required=False)
@click.option("--state", "states", type=click.Choice(STATES), multiple=True, help="Repeatable.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="So many, the newest first.",
)
@json_option
@takes_server
def list_runs(
    api: Api, dag_id: str | None, states: tuple[str, ...], limit: int, as_json: bool
) -> None:
    """List the newest runs, of one DAG or of all."""
    from leoflow_cli.client.api import path
    from leoflow_cli.table import show

    query: dict[str, Any] = {"order_by": "-run_after"}
    if states:
        query["state"] = list(states)
    where = path("dags", dag_id or "~", "dagRuns")
    runs, total = api.all_of(where, "dag_runs", query, limit)
    screen = Screen()
    if runs:
        show(_columns(dag_id is None), [_row(run, dag_id is None) for run in runs], screen)
    else:
        screen.line("no such run" if states else "no run yet")
    if total > len(runs):
        screen.line(f"… and {total - len(runs)} older; --limit shows more", style="dim")
    if as_json:
        print_json({"dag_runs": runs, "total_entries": total})


def _columns(with_dag: bool) -> tuple[Any, ...]:
    from leoflow_cli.table import Column

    columns = (
        Column("run_id"),
        Column("state", is_state=True),
        Column("started", 1),
        Column("duration", 2, to_right=True),
        Column("type", 4),
        Column("logical date", 3),
        Column("note", 5),
    )
    return (Column("dag_id"), *columns) if with_dag else columns


def _row(run: dict[str, Any], with_dag: bool) -> tuple[str, ...]:
    from leoflow_cli.moment import duration, local, seconds_between

    seconds = seconds_between(run["start_date"], run["end_date"], datetime.now(UTC))
    row = (
        run["dag_run_id"],
        run["state"],
        local(run["start_date"]),
        duration(seconds),
        run["run_type"],
        local(run["logical_date"]),
        run["note"] or "",
    )
    return (run["dag_id"], *row) if with_dag else row


@command.command("show")
@takes_run
@json_option
@takes_server
def show_one(api: Api, dag_id: str, run_id: str, as_json: bool) -> None:
    """Show how a run stands: its tasks, and where the time of each went."""
    from leoflow_cli.client.queue import find_wait
    from leoflow_cli.client.run import find_run_id
    from leoflow_cli.client.watching import show_run

    run_id, screen = find_run_id(api, dag_id, run_id), Screen()
    document = show_run(api, dag_id, run_id, screen, heading=f"{dag_id}  {run_id}")
    if document["state"] == "queued" and (wait := find_wait(api, document)) is not None:
        screen.line(f"it has not begun: {wait}", style="yellow")
        document["waits_for"] = wait
    if as_json:
        print_json(document)


@command.command("cancel")
@takes_run
@json_option
@takes_server
def cancel(api: Api, dag_id: str, run_id: str, as_json: bool) -> None:
    """End a run as failed; its tasks are told to stop and may clean up."""
    from leoflow_cli.client.run import FINISHED_RUN, find_run_id, run_path

    run_id = find_run_id(api, dag_id, run_id)
    state = api.get(run_path(dag_id, run_id))["state"]
    if state in FINISHED_RUN:
        raise InvalidInput(f"run '{run_id}' is over already: {state}")
    _set_run_state(api, dag_id, run_id, "failed", as_json)


@command.command("clear")
@takes_run
@click.option("--task", "task_ids", metavar="ID", multiple=True, help="Only this; repeatable.")
@click.option("--downstream", is_flag=True, help="And all tasks after those.")
@click.option("--upstream", is_flag=True, help="And all tasks before those.")
@click.option("--only-failed", is_flag=True, help="Of them those that failed.")
@click.option("--dry-run", is_flag=True, help="Only say what would run again.")
@json_option
@takes_server
def clear(
    api: Api,
    dag_id: str,
    run_id: str,
    task_ids: tuple[str, ...],
    downstream: bool,
    upstream: bool,
    only_failed: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run tasks of a run again: all, or those named."""
    from leoflow_cli.client.api import path
    from leoflow_cli.client.run import find_run_id

    if (downstream or upstream) and not task_ids:
        raise InvalidInput("--downstream and --upstream go with --task ID")
    run_id = find_run_id(api, dag_id, run_id)
    asked = {
        "dag_run_id": run_id,
        "task_ids": list(task_ids) or None,
        "include_downstream": downstream,
        "include_upstream": upstream,
        "only_failed": only_failed,
        "dry_run": dry_run,
        "reset_dag_runs": True,
    }
    found = api.post(path("dags", dag_id, "clearTaskInstances"), asked)
    _tell_tasks(found["task_instances"], "would run" if dry_run else "runs", "again")
    if as_json:
        print_json({"dry_run": dry_run, **found})


@command.command("delete")
@takes_run
@json_option
@takes_server
def delete(api: Api, dag_id: str, run_id: str, as_json: bool) -> None:
    """Forget a run that is over, with its logs and results."""
    from leoflow_cli.client.run import find_run_id, run_path

    run_id = find_run_id(api, dag_id, run_id)
    api.delete(run_path(dag_id, run_id))
    Screen().line(f"run '{run_id}' of DAG '{dag_id}' is forgotten")
    if as_json:
        print_json({"dag_id": dag_id, "run_id": run_id, "deleted": True})


@command.command("mark")
@takes_run
@click.argument("state", type=click.Choice(MARKS))
@click.option("--task", "task_id", metavar="ID", help="Not the run, but this task of it.")
@click.option("--map-index", metavar="N", type=click.IntRange(0), help="Of a mapped task this.")
@click.option("--downstream", is_flag=True, help="And all tasks after it.")
@json_option
@takes_server
def mark(
    api: Api,
    dag_id: str,
    run_id: str,
    state: str,
    task_id: str | None,
    map_index: int | None,
    downstream: bool,
    as_json: bool,
) -> None:
    """Let a run, or a task of it, count as a state."""
    from leoflow_cli.client.run import find_run_id, run_path

    if task_id is None:
        if state == "skipped" or map_index is not None or downstream:
            raise InvalidInput("'skipped', --map-index and --downstream go with --task ID")
        _set_run_state(api, dag_id, run_id, state, as_json)
        return
    run_id = find_run_id(api, dag_id, run_id)
    index = () if map_index is None else (map_index,)
    where = run_path(dag_id, run_id, "taskInstances", task_id, *index)
    found = api.patch(where, {"new_state": state, "include_downstream": downstream})
    _tell_tasks(found["task_instances"], "counts as", state)
    if as_json:
        print_json(found)


def _set_run_state(api: Api, dag_id: str, run_id: str, state: str, as_json: bool) -> None:
    from leoflow_cli.client.run import find_run_id, run_path

    run_id = find_run_id(api, dag_id, run_id)
    run = api.patch(run_path(dag_id, run_id), {"state": state})
    Screen().line(f"run '{run_id}' of DAG '{dag_id}' ends with {state}")
    if as_json:
        print_json({"run_id": run_id, **run})


def _tell_tasks(tasks: list[dict[str, Any]], verb: str, rest: str) -> None:
    screen = Screen()
    for task in tasks:
        index = f"[{task['map_index']}]" if task["map_index"] >= 0 else ""
        screen.line(f"  {task['task_id']}{index} {verb} {rest}")
    if not tasks:
        screen.line("no task is concerned")
