"""``leoflow agent-image``: the agents alone, for Pods whose image was not built by leoflow."""

from __future__ import annotations

from functools import partial
from typing import Any

import click
from leoflow_builder.wish import BuildWish

from leoflow_cli.ownimage import image_options, make_image


@click.command("agent-image")
@click.option(
    "--bare", is_flag=True, help="Without a base: smaller, and good for image volumes alone."
)
@image_options
def command(bare: bool, as_json: bool, **asked: Any) -> None:
    """Build the image that agents are mounted or copied from, one for each Python.

    Without --output and --push the image goes into the container engine.
    """
    from leoflow_builder.systemimage.ownbuild import build_agents

    build = partial(build_agents, bare=bare)
    make_image("the agents' image", BuildWish(**asked), as_json, build)
