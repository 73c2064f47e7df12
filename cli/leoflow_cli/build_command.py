"""``leoflow build``: a project becomes an image and a dag.json."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option, project_argument
from leoflow_cli.screen import Screen, megabytes, print_json

if TYPE_CHECKING:
    from leoflow_builder.build import BuildResult


@click.command("build")
@project_argument
@click.option("--tag", metavar="REF", help="The image's reference; made of the content if absent.")
@json_option
def command(folder: Path, tag: str | None, as_json: bool) -> None:
    """Build the project in DIR into one image, and write DIR/dag.json."""
    screen = Screen()
    result = build(folder, tag, screen)
    show(result, screen)
    if as_json:
        print_json(as_document(result))


def build(folder: Path, tag: str | None, screen: Screen) -> BuildResult:
    """Build a project, showing each step; raises what the builder raises."""
    from leoflow_builder.build import build_project
    from leoflow_controlplane.setting import read_settings

    from leoflow_cli.environment import read_options

    options = read_options(read_settings(os.environ), tag)
    with screen.working(f"building {folder}"):
        return build_project(folder, leoflow_home(), screen.say, options)


def show(result: BuildResult, screen: Screen) -> None:
    """Print the layers with their sizes, and the image."""
    for layer in result.layers:
        how = "reused" if layer.reused or not result.built else "new"
        size = megabytes(layer.size_bytes)
        screen.line(f"  {layer.name:<6}{size:>9}  {'-' if layer.size_bytes == 0 else how}")
    screen.line(
        f"  image {megabytes(result.compressed_bytes):>9} compressed, "
        f"{megabytes(result.unpacked_bytes)} unpacked  {result.image.reference}"
    )
    if result.digest_reason:
        screen.line(f"  no digest: {result.digest_reason}", style="yellow")


def as_document(result: BuildResult) -> dict[str, Any]:
    """Return what ``leoflow build --json`` prints."""
    return {
        "image": result.image.reference,
        "digest": result.image.digest,
        "digest_reason": result.digest_reason,
        "dag_json": str(result.dag_json),
        "builder": result.builder,
        "layers": [
            {**asdict(layer), "reused": layer.reused or not result.built} for layer in result.layers
        ],
        "compressed_bytes": result.compressed_bytes,
        "unpacked_bytes": result.unpacked_bytes,
        "seconds": round(result.seconds, 3),
    }
