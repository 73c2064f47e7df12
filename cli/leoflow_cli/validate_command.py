"""``leoflow validate``: everything that is wrong with a project, in one go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option, project_argument
from leoflow_cli.outcome import INVALID_INPUT
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_builder.assemble import Options
    from leoflow_builder.problem import Problem
    from leoflow_builder.project import Project


@click.command("validate")
@project_argument
@json_option
@click.pass_context
def command(context: click.Context, folder: Path, as_json: bool) -> None:
    """Check the project in DIR; exit code 2 if anything is wrong with it."""
    from leoflow_builder.problem import ProjectError, count

    screen = Screen()
    try:
        with screen.working("validating"):
            dag_id, task_ids = _validate(folder, screen)
    except ProjectError as error:
        _tell_problems(error, screen, as_json)
        context.exit(INVALID_INPUT)
    screen.line(f"ok: DAG '{dag_id}' with {count(len(task_ids), 'task')}", style="green")
    if as_json:
        print_json({"dag_id": dag_id, "task_ids": task_ids, "problems": []})


def _validate(folder: Path, screen: Screen) -> tuple[str, list[str]]:
    from leoflow_builder.assemble import read_spec
    from leoflow_builder.problem import ProjectError
    from leoflow_builder.project import InvalidProject, load_project
    from leoflow_builder.projectfile import find_file_problems
    from leoflow_controlplane.setting import read_settings

    from leoflow_cli.environment import environment_for, read_options

    options = read_options(read_settings(os.environ))
    try:
        project = load_project(folder)
    except InvalidProject as invalid:
        found = _problems_in_code(invalid.readable, options, screen)
        raise ProjectError([*invalid.problems, *found]) from None
    unfit = find_file_problems(project.folder, project.settings.allow_secret_files)
    environment = environment_for(project, leoflow_home(), screen.say)
    try:
        spec = read_spec(project, environment, options)
    except ProjectError as error:
        raise ProjectError([*unfit, *error.problems]) from None
    if unfit:
        raise ProjectError(unfit)
    return spec.dag_id, [task.task_id for task in spec.tasks]


def _problems_in_code(
    project: Project | None, options: Options, screen: Screen
) -> Sequence[Problem]:
    from leoflow_builder.problem import ProjectError
    from leoflow_builder.reading import find_code_problems

    from leoflow_cli.environment import environment_for

    if project is None:
        return []
    try:
        ground = environment_for(project, leoflow_home(), screen.say)
    except ProjectError as error:
        return error.problems
    seconds = options.read_timeout_seconds
    return find_code_problems(project, ground.interpreter, ground.site_path, seconds)


def _tell_problems(error: Any, screen: Screen, as_json: bool) -> None:
    from leoflow_builder.problem import count

    for problem in error.problems:
        screen.line(str(problem), style="red")
    screen.line(count(len(error.problems), "problem"))
    if as_json:
        found = [
            {"file": one.file, "line": one.line, "column": one.column, "message": one.message}
            for one in error.problems
        ]
        print_json({"dag_id": None, "task_ids": [], "problems": found})
