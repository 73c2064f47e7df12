"""The options of every command that asks a control plane, and the opening of its connection."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from leoflow_cli.home import home_path

run_arguments = (
    click.argument("dag_id", metavar="DAG_ID"),
    click.argument("run_id", metavar="RUN_ID"),
)
on_existing_option = click.option(
    "--on-existing",
    type=click.Choice(["fail", "skip", "overwrite"]),
    default="fail",
    show_default=True,
    help="What to do if the control plane has one of them; 'fail' imports none.",
)


def takes_server(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --server and --token-file, and its function the ``api`` that they lead to."""

    @click.option("--server", metavar="URL", help="The control plane. Default: LEOFLOW_SERVER.")
    @click.option(
        "--token-file",
        metavar="PATH",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="A file with the token. Default: LEOFLOW_TOKEN.",
    )
    @functools.wraps(function)
    def with_api(*args: Any, server: str | None, token_file: Path | None, **asked: Any) -> Any:
        from leoflow_cli.client.address import find_address
        from leoflow_cli.client.api import Api

        address = find_address(server, token_file, os.environ, home_path())
        with Api(address) as api:
            return function(*args, api=api, **asked)

    return with_api


def takes_run(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments DAG_ID and RUN_ID."""
    for argument in reversed(run_arguments):
        function = argument(function)
    return function
