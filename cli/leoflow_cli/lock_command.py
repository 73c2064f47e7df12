"""``leoflow lock``: exact versions and hashes of a project's dependencies."""

from __future__ import annotations

from pathlib import Path

import click

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option, project_argument
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen


@click.command("lock")
@project_argument
@click.option("--upgrade", is_flag=True, help="Take the newest versions that fit, not the locked.")
@json_option
def command(folder: Path, upgrade: bool, as_json: bool) -> None:
    """Write DIR/leoflow.lock from the `dependencies` in leoflow.yaml."""
    from leoflow_builder.lock import LOCK_NAME
    from leoflow_builder.prepare import lock_project
    from leoflow_builder.problem import count
    from leoflow_builder.project import load_project

    screen = Screen()
    with screen.working("locking"):
        lock = lock_project(load_project(folder), leoflow_home(), screen.say, upgrade)
    screen.line(f"{LOCK_NAME} holds {count(len(lock.packages), 'package')}")
    if as_json:
        packages = {package.name: package.version for package in lock.packages}
        print_json({"lock": str(folder / LOCK_NAME), "packages": packages})
