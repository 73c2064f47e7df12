"""``leoflow push``: what ``leoflow build`` wrote becomes a version of a DAG at a control plane."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leoflow_cli.client.option import takes_server
from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option
from leoflow_cli.outcome import InvalidInput
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_cli.client.api import Api


@click.command("push")
@click.argument("place", metavar="[DIR|DAG.JSON]", type=click.Path(path_type=Path), default=Path())
@click.option("--build", is_flag=True, help="Build the project first.")
@json_option
@takes_server
def command(api: Api, place: Path, build: bool, as_json: bool) -> None:
    """Register a built project with a control plane: DIR/dag.json, or the file itself.

    The image stays where it is: the control plane has to be able to pull it.
    """
    screen = Screen()
    file = _find_file(place, build, screen)
    built = _read(file)
    _warn_of_image(built["image"], screen)
    version, created = api.create("/dags", built)
    dag_id, warnings = version["dag_id"], version.get("warnings", ())
    if not any(warning["kind"] == "bare_image" for warning in warnings):
        _warn_of_bare_name(built["image"], api, screen)
    for warning in warnings:
        screen.line(warning["message"], style="yellow")
    for note in version.get("notes", ()):
        screen.line(note)
    text = f"version {version['version_number']} of DAG '{dag_id}'"
    if created:
        screen.line(f"registered {text}", style="green")
    else:
        screen.line(f"nothing to register: it is {text} already")
    screen.line(f"run it:  leoflow trigger {dag_id} --wait", style="dim")
    if as_json:
        print_json({"created": created, **version})


def _find_file(place: Path, build: bool, screen: Screen) -> Path:
    from leoflow_builder.toolfile import BUILT_FILE
    from leoflow_builder.wish import BuildWish

    if place.is_file():
        if build:
            raise InvalidInput(f"--build goes with a project's folder, and '{place}' is a file")
        return place
    file = place / BUILT_FILE
    if not place.is_dir():
        raise InvalidInput(f"'{place}' is neither a project's folder nor a dag.json")
    if build:
        from leoflow_cli import build_command

        build_command.build(place, BuildWish(), screen)
    elif not file.exists():
        raise InvalidInput(
            f"'{file}' is not there: run `leoflow build {place}` first, or push with --build"
        )
    else:
        _refuse_stale(place, file)
    return file


def _refuse_stale(folder: Path, file: Path) -> None:
    """Refuse a dag.json that the project has gone on since; what was only touched is no change."""
    from leoflow_builder.unchanged import recall
    from leoflow_builder.wish import BuildWish

    newer = _newer_file(folder, file)
    if newer is None or recall(folder, leoflow_home(), BuildWish(), os.environ) is not None:
        return
    raise InvalidInput(
        f"'{newer}' is newer than '{file}': run `leoflow build {folder}` first, or push with "
        f"--build. To push what was built before: leoflow push {file}"
    )


def _newer_file(folder: Path, file: Path) -> Path | None:
    """Return a file of the project that was written after ``file``; ProjectError if it has ills."""
    from leoflow_builder.project import load_project
    from leoflow_builder.projectfile import choose_files

    built_at = file.stat().st_mtime_ns
    found = choose_files(folder, load_project(folder).settings.allow_secret_files).chosen
    return next((one for one in found.values() if one.lstat().st_mtime_ns > built_at), None)


def _read(file: Path) -> dict[str, Any]:
    """Return a BuiltDag as a document; the control plane checks the rest of it."""
    try:
        built = json.loads(file.read_bytes())
    except ValueError as error:
        raise InvalidInput(f"'{file}' is not JSON: {error}") from None
    if not isinstance(built, dict) or not {"spec", "image"} <= built.keys():
        raise InvalidInput(
            f"'{file}' is not what `leoflow build` writes beside a project: it has no 'image'"
        )
    return built


def _warn_of_image(image: dict[str, Any], screen: Screen) -> None:
    reference = image.get("reference", "")
    if image.get("digest") is None:
        screen.line(
            f"the image '{reference}' has no digest: if its tag moves, this version changes",
            style="yellow",
        )


def _warn_of_bare_name(image: dict[str, Any], api: Api, screen: Screen) -> None:
    """Say what a control plane that is no cluster's cannot know: that it is another machine."""
    reference = image.get("reference", "")
    if not api.address.is_loopback and _is_local(reference):
        screen.line(
            f"the image '{reference}' names no registry, so '{api.address.url}' may not find it: "
            "build with --tag REGISTRY/NAME --push",
            style="yellow",
        )


def _is_local(reference: str) -> bool:
    """Tell whether a reference is of the kind that a build makes up for the engine alone."""
    return reference.removeprefix("docker.io/").startswith("leoflow/")
