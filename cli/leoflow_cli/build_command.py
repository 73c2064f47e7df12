"""``leoflow build``: a project becomes an image and a dag.json."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from leoflow_builder.unchanged import recall
from leoflow_builder.wish import BuildWish

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option, project_argument
from leoflow_cli.plain import megabytes, print_json

if TYPE_CHECKING:
    from leoflow_builder.build import BuildResult, Options

    from leoflow_cli.screen import Screen


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
    wish = BuildWish(tag, builder, output, push)
    if dry_run:
        _show_plan(folder, wish, as_json)
        return
    document = recall(folder, leoflow_home(), wish, os.environ)
    if document is None:
        from leoflow_cli.screen import Screen

        document = build(folder, wish, Screen()).as_json()
    else:
        click.echo(f"nothing to build, the image is there: '{document['image']}'", err=True)
        for line in summary(document):
            click.echo(line, err=True)
    if as_json:
        print_json(document)


def build(folder: Path, wish: BuildWish, screen: Screen) -> BuildResult:
    """Build a project, showing each step and what came of it; raises what the builder raises."""
    from leoflow_builder.build import build_project

    with screen.working(f"building {folder}"):
        result = build_project(folder, leoflow_home(), screen.say, _options(wish))
    for line in summary(result.as_json()):
        screen.line(line)
    if result.digest_reason:
        screen.line(f"  no digest: {result.digest_reason}", style="yellow")
    return result


def _options(wish: BuildWish) -> Options:
    from leoflow_controlplane.setting import read_settings

    from leoflow_cli.environment import read_options

    return replace(read_options(read_settings(os.environ)), wish=wish)


def _show_plan(folder: Path, wish: BuildWish, as_json: bool) -> None:
    from leoflow_builder.build import plan_project
    from leoflow_builder.dockerfile import render_dockerfile

    from leoflow_cli.screen import Screen

    screen = Screen()
    with screen.working(f"planning {folder}"):
        image, plan = plan_project(folder, leoflow_home(), screen.say, _options(wish))
    if as_json:
        layers = [{"name": name, "digest": digest} for name, digest in plan.layers]
        print_json({"image": image, "layers": layers, "dockerfile": render_dockerfile(plan)})
        return
    screen.line(image)
    click.echo(render_dockerfile(plan), nl=False)


def summary(document: dict[str, Any]) -> Iterator[str]:
    """Give the lines that tell the layers with their sizes, and the image."""
    for layer in document["layers"]:
        size = layer["size_bytes"]
        how = "-" if size == 0 else "reused" if layer["reused"] else "new"
        yield f"  {layer['name']:<6}{megabytes(size):>9}  {how}"
    yield (
        f"  image {megabytes(document['compressed_bytes']):>9} compressed, "
        f"{megabytes(document['unpacked_bytes'])} unpacked  {document['image']}"
    )
