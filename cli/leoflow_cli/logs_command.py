"""``leoflow logs``: what the tasks of a run have printed, as plain text on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from leoflow_cli.client.option import takes_run, takes_server
from leoflow_cli.harmless import harmless, split_lines
from leoflow_cli.option import json_option
from leoflow_cli.outcome import InvalidInput
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_cli.client.api import Api
    from leoflow_cli.client.following import Wanted
    from leoflow_cli.client.log import Line, Try


@click.command("logs")
@takes_run
@click.argument("task_id", metavar="[TASK_ID]", required=False)
@click.option("--try", "try_number", metavar="N", type=click.IntRange(1), help="Not the newest.")
@click.option("--map-index", metavar="N", type=click.IntRange(0), help="Of a mapped task this.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run, or the task, is over.")
@json_option
@takes_server
def command(
    api: Api,
    dag_id: str,
    run_id: str,
    task_id: str | None,
    try_number: int | None,
    map_index: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Print the log of a run's task, or of all its tasks by time. RUN_ID may be 'latest'.

    Each task's newest try counts, if no other one is asked for.
    """
    from leoflow_cli.client.following import Wanted
    from leoflow_cli.client.run import find_run_id

    if task_id is None and (try_number is not None or map_index is not None):
        raise InvalidInput("--try and --map-index go with a TASK_ID")
    if follow and (as_json or try_number is not None):
        raise InvalidInput("--follow goes with neither --json nor --try")
    run_id = find_run_id(api, dag_id, run_id)
    wanted = Wanted(logs=True, task_id=task_id, map_index=map_index)
    if follow:
        _follow(api, dag_id, run_id, wanted)
        return
    tries = _choose(api, dag_id, run_id, wanted, try_number)
    lines = list(_read(api, dag_id, run_id, tries))
    if as_json:
        document = {"dag_id": dag_id, "run_id": run_id, "lines": [one.as_json() for one in lines]}
        print_json(document)
        return
    width = max((len(one.name) for one in tries), default=0)
    echo = _printer()
    for line in lines:
        echo(_prefix(line.whose.name, width if len(tries) > 1 else 0), line.text)
    if not lines:
        Screen().line("nothing was printed", style="dim")


def _choose(
    api: Api, dag_id: str, run_id: str, wanted: Wanted, try_number: int | None
) -> list[Try]:
    """Return the tries whose logs are wanted; InvalidInput for what the run does not have."""
    from leoflow_builder.problem import did_you_mean

    from leoflow_cli.client.log import Try
    from leoflow_cli.client.run import read_tasks

    tasks = read_tasks(api, dag_id, run_id)
    chosen = [task for task in tasks if wanted.takes(task)]
    if not chosen and wanted.task_id is not None:
        names = {task["task_id"] for task in tasks}
        if wanted.task_id in names:
            raise InvalidInput(f"task '{wanted.task_id}' has no map index {wanted.map_index}")
        raise InvalidInput(
            f"run '{run_id}' has no task '{wanted.task_id}'." + did_you_mean(wanted.task_id, names)
        )
    newest = max((task["try_number"] for task in chosen), default=0)
    if try_number is not None and try_number > newest:
        raise InvalidInput(
            f"task '{wanted.task_id}' has no try {try_number}: its newest is {newest}"
        )
    return [
        Try(task["task_id"], task["map_index"], try_number or task["try_number"])
        for task in chosen
        if task["try_number"] >= (try_number or 1)
    ]


def _read(api: Api, dag_id: str, run_id: str, tries: list[Try]) -> Iterator[Line]:
    from leoflow_cli.client.log import LogReader

    lines = [line for one in tries for line in LogReader(api, dag_id, run_id, one).read()]
    if len(tries) > 1:
        lines.sort(key=lambda line: line.instant)
    yield from lines


def _follow(api: Api, dag_id: str, run_id: str, wanted: Wanted) -> None:
    from leoflow_cli.client.following import Follower
    from leoflow_cli.client.log import Try

    screen, echo = Screen(), _printer()
    width = 0 if wanted.task_id is not None and wanted.map_index is not None else 20
    for update in Follower(api, dag_id, run_id, wanted, screen.line).updates():
        if update.kind == "log" and update.task_id is not None:
            whose = Try(update.task_id, update.map_index, update.try_number)
            is_named = width and (wanted.task_id is None or whose.map_index >= 0)
            echo(_prefix(whose.name, width if is_named else 0), update.text)


def _printer() -> Callable[[str, str], None]:
    """Return what prints a prefix and a line: on a terminal what is `harmless` of it, else all."""
    if not sys.stdout.isatty():
        return lambda prefix, text: click.echo(prefix + text, color=True)
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)

    def show(prefix: str, text: str) -> None:
        for line in split_lines(text) or [""]:
            console.print(Text.from_ansi(prefix + harmless(line)), soft_wrap=True)

    return show


def _prefix(name: str, width: int) -> str:
    return f"{name:<{width}} │ " if width else ""
