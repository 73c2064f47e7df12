"""``leoflow server``: the control plane. Its options are the settings that an operator has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from leoflow_controlplane import quantity
from leoflow_controlplane.option import Option
from leoflow_controlplane.serversetting import FILE_NAME, SERVER_OPTIONS, read_server_settings
from leoflow_controlplane.setting import OPTIONS

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

_METAVARS = {
    quantity.COUNT: "N",
    quantity.PORT: "PORT",
    quantity.SECONDS: "DURATION",
    quantity.BYTES: "SIZE",
    quantity.DAYS: "DAYS",
    quantity.WORDS: "NAMES",
}


def takes_settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for each setting; their values stay as they were typed."""
    for option in reversed((*SERVER_OPTIONS, *OPTIONS)):
        shown = "none" if option.default is None else option.kind.show(option.default)
        told = f"{option.meaning[0].upper()}{option.meaning[1:]}. Default: {shown}."
        if option.kind is quantity.SWITCH:
            flags = f"{option.flag}/--no-{option.flag.removeprefix('--')}"
            function = click.option(flags, option.name, default=None, help=told)(function)
        else:
            metavar = _METAVARS.get(option.kind) or _words(option)
            function = click.option(option.flag, option.name, metavar=metavar, help=told)(function)
    return function


@click.command("server")
@click.option(
    "--config",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help=f"The file of settings. Default: LEOFLOW_CONFIG, else {FILE_NAME} in LEOFLOW_HOME.",
)
@click.option("--check", is_flag=True, help="Say what would be used and where it is set; exit.")
@takes_settings
@json_option
def command(config: Path | None, check: bool, as_json: bool, **flags: Any) -> None:
    """Run the control plane until it is stopped.

    Each setting may also be in the environment (LEOFLOW_…) or in the file; what is typed wins.
    """
    from leoflow_controlplane import server

    settings = read_server_settings(leoflow_home(), flags, os.environ, config)
    if check:
        _check(settings)
    server.serve(settings)


def _words(option: Option) -> str:
    """Return the values that an option may have, if there are only some."""
    if option.kind.what.startswith("'"):
        return option.kind.what.replace("' or '", "|").strip("'")
    return "TEXT"
