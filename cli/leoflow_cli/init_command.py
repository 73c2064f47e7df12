"""``leoflow init``: a new project that builds and runs as it is."""

from __future__ import annotations

import shlex
from pathlib import Path

import click


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--dag-id", help="The DAG's id; the folder's name if it is not given.")
def command(folder: Path, dag_id: str | None) -> None:
    """Make a new project in DIR, which has to be empty or not there."""
    from leoflow_builder.template import create_project

    for path in create_project(folder, dag_id):
        click.echo(f"  wrote {folder / path.name}", err=True)
    click.echo(f"run it:  leoflow run {shlex.quote(str(folder))}", err=True)
