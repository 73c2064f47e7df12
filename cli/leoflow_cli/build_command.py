"""``leoflow build``: a project becomes an image and a dag.json."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option, project_argument
from leoflow_cli.screen import Screen, megabytes, print_json

if TYPE_CHECKING:
    from leoflow_builder.build import BuildResult, Options


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    tag: str | None = None
    builder: str = "oci"
    output: Path | None = None
    push: bool = False


@click.command("build")
@project_argument
@click.option("--tag", metavar="REF", help="The image's reference; made of the content if absent.")
@click.option(
    "--builder",
    type=click.Choice(["oci", "buildkit"]),
    default="oci",
    show_default=True,
    help="What makes the image.",
)
@click.option(
    "--output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Write an OCI layout into a folder, or an archive if it ends in .tar.",
)
@click.option("--push", is_flag=True, help="Push to the registry that --tag names.")
@click.option("--dry-run", is_flag=True, help="Print the Dockerfile and build nothing.")
@json_option
def command(
    folder: Path,
    tag: str | None,
    builder: str,
    output: Path | None,
    push: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Build the project in DIR into one image, and write DIR/dag.json.

    Without --output and --push the image goes into the container engine.
    """
    screen = Screen()
    wish = Wish(tag, builder, output, push)
    if dry_run:
        _show_plan(folder, wish, screen, as_json)
        return
    result = build(folder, wish, screen)
    show(result, screen)
    if as_json:
        print_json(result.as_json())


def build(folder: Path, wish: Wish, screen: Screen) -> BuildResult:
    """Build a project, showing each step; raises what the builder raises."""
    from leoflow_builder.build import build_project

    with screen.working(f"building {folder}"):
        return build_project(folder, leoflow_home(), screen.say, _options(wish))


def _options(wish: Wish) -> Options:
    from leoflow_controlplane.setting import read_settings

    from leoflow_cli.environment import read_options

    return replace(read_options(read_settings(os.environ)), **vars(wish))


def _show_plan(folder: Path, wish: Wish, screen: Screen, as_json: bool) -> None:
    from leoflow_builder.build import plan_project
    from leoflow_builder.dockerfile import render_dockerfile

    with screen.working(f"planning {folder}"):
        image, plan = plan_project(folder, leoflow_home(), screen.say, _options(wish))
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
