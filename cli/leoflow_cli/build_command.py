"""``leoflow build``: a project becomes an image and a dag.json."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option, project_argument
from leoflow_cli.screen import Screen, megabytes, print_json

if TYPE_CHECKING:
    from leoflow_builder.build import BuildResult, Options


@click.command("build")
@project_argument
@click.option("--tag", metavar="REF", help="The image's reference; made of the content if absent.")
@click.option(
    "--builder", type=click.Choice(["buildkit"]), default="buildkit", help="What makes the image."
)
@click.option("--dry-run", is_flag=True, help="Print the Dockerfile and build nothing.")
@json_option
def command(folder: Path, tag: str | None, builder: str, dry_run: bool, as_json: bool) -> None:  # noqa: ARG001 - one builder so far
    """Build the project in DIR into one image, and write DIR/dag.json."""
    screen = Screen()
    if dry_run:
        _show_plan(folder, tag, screen, as_json)
        return
    result = build(folder, tag, screen)
    show(result, screen)
    if as_json:
        print_json(result.as_json())


def build(folder: Path, tag: str | None, screen: Screen) -> BuildResult:
    """Build a project, showing each step; raises what the builder raises."""
    from leoflow_builder.build import build_project

    options = _options(tag)
    with screen.working(f"building {folder}"):
        return build_project(folder, leoflow_home(), screen.say, options)


def _options(tag: str | None) -> Options:
    from leoflow_controlplane.setting import read_settings

    from leoflow_cli.environment import read_options

    return read_options(read_settings(os.environ), tag)


def _show_plan(folder: Path, tag: str | None, screen: Screen, as_json: bool) -> None:
    from leoflow_builder.build import plan_project
    from leoflow_builder.dockerfile import render_dockerfile

    with screen.working(f"planning {folder}"):
        image, plan = plan_project(folder, leoflow_home(), screen.say, _options(tag))
    if as_json:
        layers = [{"name": name, "digest": digest} for name, digest in plan.layers]
        print_json({"image": image, "layers": layers, "dockerfile": render_dockerfile(plan)})
        return
    screen.line(image)
    click.echo(render_dockerfile(plan), nl=False)


def show(result: BuildResult, screen: Screen) -> None:
    """Print the layers with their sizes, and the image."""
    for layer in result.layers:
        how = "reused" if layer.reused else "new"
        size = megabytes(layer.size_bytes)
        screen.line(f"  {layer.name:<6}{size:>9}  {'-' if layer.size_bytes == 0 else how}")
    screen.line(
        f"  image {megabytes(result.compressed_bytes):>9} compressed, "
        f"{megabytes(result.unpacked_bytes)} unpacked  {result.image.reference}"
    )
    if result.digest_reason:
        screen.line(f"  no digest: {result.digest_reason}", style="yellow")
