"""``leoflow server``: the control plane. Its options are the settings that an operator has."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from leoflow_builder.oci.engine_place import find_engine
from leoflow_controlplane import quantity
from leoflow_controlplane.kubernetesoption import KUBERNETES_OPTIONS
from leoflow_controlplane.option import Option
from leoflow_controlplane.serveroption import SERVER_OPTIONS
from leoflow_controlplane.serversetting import FILE_NAME, read_server_settings
from leoflow_controlplane.setting import OPTIONS

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option
from leoflow_cli.outcome import MACHINERY_FAILED, InvalidInput
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_controlplane.server.check import Check
    from leoflow_controlplane.server.place import Projects
    from leoflow_controlplane.serversetting import ServerSettings

_METAVARS = {
    quantity.COUNT: "N",
    quantity.NUMBER: "N",
    quantity.PORT: "PORT",
    quantity.SECONDS: "DURATION",
    quantity.BYTES: "SIZE",
    quantity.DAYS: "DAYS",
    quantity.WORDS: "NAMES",
}


def _words(option: Option) -> str:
    """Return the values that an option may have, if there are only some."""
    if option.kind.what.startswith("'"):
        return option.kind.what.replace("' or '", "|").strip("'")
    return "TEXT"


def _default(option: Option) -> str:
    if option.name == "max_parallel_tasks":
        return "one for each processor, at least 2"
    return "none" if option.default is None else option.kind.show(option.default)


def _capital(text: str) -> str:
    """Begin with a capital, unless it begins with a name such as http_api."""
    return text[0].upper() + text[1:] if text.split()[0].isalpha() else text


def takes_settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for each setting; their values stay as they were typed."""
    for option in reversed((*SERVER_OPTIONS, *KUBERNETES_OPTIONS, *OPTIONS)):
        told = f"{_capital(option.meaning)}. Default: {_default(option)}."
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
@click.option("--check", is_flag=True, help="Only say what would be used, and where it is set.")
@click.option("--new-admin-token", is_flag=True, help="Replace the first admin's token.")
@takes_settings
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    config: Path | None,
    check: bool,
    new_admin_token: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Run the control plane until it is stopped.

    Each setting may also be in the environment (LEOFLOW_…) or in the file; what is typed wins.
    """
    if as_json and not check:
        raise InvalidInput("--json goes with --check")
    settings = read_server_settings(leoflow_home(), flags, os.environ, config)
    if settings.executor == "docker":
        settings = replace(settings, engine=find_engine(os.environ, Path.home()))
    if new_admin_token and settings.admin_token is not None:
        raise InvalidInput(
            "--new-admin-token makes a token, and admin_token gives one. Change that one instead"
        )
    screen = Screen()
    if not check:
        from leoflow_controlplane.server.serving import serve

        projects = _projects(settings, screen)
        serve(settings, screen.line, new_admin_token=new_admin_token, projects=projects)
        return
    from leoflow_controlplane.server import check as checking

    found = checking.check(settings)
    _show(found, screen)
    if as_json:
        print_json(_as_document(found))
    if not found.ok:
        context.exit(MACHINERY_FAILED)


def _projects(settings: ServerSettings, screen: Screen) -> Projects | None:
    """Return what knows the projects of subprocesses; the control plane itself knows none."""
    if settings.subprocess_projects is None:
        return None
    from leoflow_cli.hostfolder import HostFolders

    return HostFolders(Path(settings.subprocess_projects), settings.home, screen.say)


def _show(found: Check, screen: Screen) -> None:
    from leoflow_cli.table import Column, show

    columns = (Column("setting"), Column("value"), Column("from", 1), Column("what it is", 2))
    show(
        columns, [(row.name, row.value, row.source, row.meaning) for row in found.settings], screen
    )
    screen.line()
    for finding in found.findings:
        problem = finding.problem
        text = f"  {finding.what:<10}{finding.where}"
        screen.line(f"{text}: {problem}" if problem else text, "red" if problem else "")
    screen.line("a server would start" if found.ok else "no server would start", style="bold")


def _as_document(found: Check) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "settings": [row._asdict() for row in found.settings],
        "findings": [row._asdict() for row in found.findings],
    }
