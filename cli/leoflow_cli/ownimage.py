"""What the commands that make leoflow's own images share: options, progress, and the summary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from leoflow_builder.wish import BuildWish

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option, split_platforms
from leoflow_cli.plain import megabytes, print_json

if TYPE_CHECKING:
    from leoflow_builder.systemimage.ownbuild import Say, SystemImage
    from leoflow_builder.tools import Tools

Build = Callable[[BuildWish, Path, "Say", "Tools"], "SystemImage"]


def image_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where an image goes, and --json."""
    for decorate in reversed(
        (
            click.option("--tag", metavar="REF", help="The image's reference."),
            click.option(
                "--output",
                metavar="PATH",
                type=click.Path(path_type=Path),
                help="Write an OCI layout into a folder, or an archive if it ends in .tar.",
            ),
            click.option("--push", is_flag=True, help="Push to the registry that --tag names."),
            click.option(
                "--platform",
                "platforms",
                metavar="P,…",
                callback=lambda _context, _option, text: split_platforms(text),
                help="Build for linux/amd64, linux/arm64, or both as one index.",
            ),
            json_option,
        )
    ):
        function = decorate(function)
    return function


def make_image(what: str, wish: BuildWish, as_json: bool, build: Build) -> None:
    """Have an image made, show what it consists of, and print it if JSON was asked for."""
    from leoflow_builder.tools import choose_tools

    from leoflow_cli.screen import Screen

    home, screen = leoflow_home(), Screen()
    with screen.working(f"building {what}"):
        image = build(wish, home, screen.say, choose_tools(wish, home, screen.progress))
    for layer in image.layers:
        how = "reused" if layer.reused else "new"
        screen.line(f"  {layer.name:<8}{megabytes(layer.size_bytes):>9}  {how}")
    screen.line(
        f"  image {megabytes(image.compressed_bytes):>11} compressed, "
        f"{megabytes(image.unpacked_bytes)} unpacked  {image.reference}"
    )
    if as_json:
        print_json(image.as_json())
