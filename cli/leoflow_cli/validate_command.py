"""``leoflow validate``: everything that is wrong with a project, in one go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option, project_argument
from leoflow_cli.outcome import INVALID_INPUT
from leoflow_cli.screen import Screen, print_json


@click.command("validate")
@project_argument
@json_option
@click.pass_context
def command(context: click.Context, folder: Path, as_json: bool) -> None:
    """Check the project in DIR; exit code 2 if anything is wrong with it."""
    from leoflow_builder.problem import ProjectError

    screen = Screen()
    try:
        with screen.working("validating"):
            dag_id, task_ids = _validate(folder, screen)
    except ProjectError as error:
        _tell_problems(error, screen, as_json)
        context.exit(INVALID_INPUT)
    screen.line(f"ok: DAG '{dag_id}' with {len(task_ids)} tasks", style="green")
    if as_json:
        print_json({"dag_id": dag_id, "task_ids": task_ids, "problems": []})


def _validate(folder: Path, screen: Screen) -> tuple[str, list[str]]:
    from leoflow_builder.build import read_spec
    from leoflow_builder.project import load_project
    from leoflow_controlplane.setting import read_settings

    from leoflow_cli.environment import environment_for, read_options

    project = load_project(folder)
    options = read_options(read_settings(os.environ), None)
    environment = environment_for(project, leoflow_home(), screen.say)
    spec = read_spec(project, environment, options)
    return spec.dag_id, [task.task_id for task in spec.tasks]


def _tell_problems(error: Any, screen: Screen, as_json: bool) -> None:
    from leoflow_cli.failure import count_problems

    for problem in error.problems:
        screen.line(str(problem), style="red")
    screen.line(count_problems(len(error.problems)))
    if as_json:
        found = [
            {"file": one.file, "line": one.line, "column": one.column, "message": one.message}
            for one in error.problems
        ]
        print_json({"dag_id": None, "task_ids": [], "problems": found})
