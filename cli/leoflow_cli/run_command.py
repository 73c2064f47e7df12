"""``leoflow run``: one run of a project's DAG, from the folder to the result."""

from __future__ import annotations

from pathlib import Path

import click

from leoflow_cli.option import json_option, parse_object, project_argument
from leoflow_cli.outcome import RUN_FAILED, InvalidInput
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen


@click.command("run")
@project_argument
@click.option("--task", "task_id", metavar="ID", help="Run only this task.")
@click.option(
    "--input",
    "input_text",
    metavar="JSON",
    help="With --task: what its upstream tasks would have returned, by task_id.",
)
@click.option(
    "--executor",
    type=click.Choice(["docker", "kubernetes", "subprocess"]),
    help="Where tries run. Default: docker, or subprocess where no engine answers.",
)
@click.option("--tag", metavar="REF", help="The image's reference; made of the content if absent.")
@click.option(
    "--push", is_flag=True, help="Push the image to the registry that --tag names, for Kubernetes."
)
@click.option("--conf", "conf_text", metavar="JSON", help="The run's conf; it overrides params.")
@click.option("--logical-date", metavar="DATE", help="ISO 8601; now if it is not given.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    folder: Path,
    task_id: str | None,
    input_text: str | None,
    executor: str | None,
    tag: str | None,
    push: bool,
    conf_text: str | None,
    logical_date: str | None,
    as_json: bool,
) -> None:
    """Run the DAG of the project in DIR once, to its end.

    Exit code 0: success, 1: the run failed, 2: invalid input, 3: the machinery failed.
    """
    if input_text is not None and task_id is None:
        raise InvalidInput("--input goes with --task ID")
    inputs = None if input_text is None else parse_object(input_text, "--input")
    conf = parse_object(conf_text, "--conf")

    from leoflow_builder.wish import BuildWish

    from leoflow_cli import running
    from leoflow_cli.report import as_document, show

    screen = Screen()
    image = BuildWish(tag=tag, push=push)
    wish = running.Wish(folder, executor, task_id, inputs, conf, logical_date, image)
    outcome = running.run(wish, screen)
    show(outcome.result, outcome.seconds, screen)
    if as_json:
        print_json(as_document(outcome.result))
    if outcome.result.state != "success":
        context.exit(RUN_FAILED)
