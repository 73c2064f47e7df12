"""``leoflow server-image``: the control plane as an image, for a cluster or a container engine."""

from __future__ import annotations

from typing import Any

import click
from leoflow_builder.wish import BuildWish

from leoflow_cli.ownimage import image_options, make_image


@click.command("server-image")
@click.option("--locked", is_flag=True, help="Fail if a pinned package is not to be had any more.")
@image_options
def command(as_json: bool, **asked: Any) -> None:
    """Build the image of the control plane: this leoflow, and what it was locked with.

    Without --output and --push the image goes into the container engine.
    """
    from leoflow_builder.systemimage.ownbuild import build_server

    make_image("the control plane's image", BuildWish(**asked), as_json, build_server)
