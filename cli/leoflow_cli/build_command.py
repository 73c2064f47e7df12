"""``leoflow build``: a project becomes an image and a dag.json."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from leoflow_builder.unchanged import recall
from leoflow_builder.wish import BuildWish

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option, project_argument, split_platforms
from leoflow_cli.outcome import RUN_FAILED
from leoflow_cli.plain import megabytes, print_json

if TYPE_CHECKING:
    from leoflow_builder.assemble import Options
    from leoflow_builder.build import BuildResult

    from leoflow_cli.screen import Screen


@click.command("build")
@project_argument
@click.option("--tag", metavar="REF", help="The image's reference; made of the content if absent.")
@click.option(
    "--builder",
    type=click.Choice(["oci", "buildkit"]),
    default="oci",
    show_default=True,
    help="What makes the image.",
)
@click.option(
    "--output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Write an OCI layout into a folder, or an archive if it ends in .tar.",
)
@click.option("--push", is_flag=True, help="Push to the registry that --tag names.")
@click.option(
    "--platform",
    "platforms",
    metavar="P,…",
    callback=lambda _context, _option, text: split_platforms(text),
    help="Build for linux/amd64, linux/arm64, or both as one index.",
)
@click.option("--locked", is_flag=True, help="Fail if leoflow.lock does not fit, and write none.")
@click.option("--verify", is_flag=True, help="Build again from an empty cache, and compare.")
@click.option("--check-budget", is_flag=True, help="Start the image and hold it to its budget.")
@click.option("--dry-run", is_flag=True, help="Print the Dockerfile and build nothing.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    folder: Path,
    verify: bool,
    check_budget: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Build the project in DIR into one image, and write DIR/dag.json.

    Without --output and --push the image goes into the container engine. Exit code 1: over budget.
    """
    wish = BuildWish(**asked)
    if dry_run:
        _show_plan(folder, wish, quiet, as_json)
        return
    document = None if verify or check_budget else _recall(folder, wish, quiet)
    if document is None:
        document = _build(folder, wish, quiet, verify, check_budget)
    if as_json:
        print_json(document)
    if not document.get("budget", {}).get("kept", True):
        context.exit(RUN_FAILED)


def _recall(folder: Path, wish: BuildWish, quiet: bool) -> dict[str, Any] | None:
    """Return what the last build told, if nothing changed; so rich is not even loaded."""
    document = recall(folder, leoflow_home(), wish, os.environ)
    if document is not None and not quiet:
        click.echo(f"nothing to build, the image is there: '{document['image']}'", err=True)
        for line in summary(document):
            click.echo(line, err=True)
    return document


def _build(
    folder: Path, wish: BuildWish, quiet: bool, verify: bool, check_budget: bool
) -> dict[str, Any]:
    from leoflow_cli.screen import Screen

    screen = Screen(quiet=quiet)
    result = build(folder, wish, screen)
    document = result.as_json()
    if verify:
        from leoflow_builder.verify import verify_project

        with screen.working("verifying"):
            digest = verify_project(folder, leoflow_home(), screen.say, _options(wish))
        screen.line(f"verified: a second build gave the same manifest, {digest}", style="green")
    if check_budget:
        document["budget"] = _check_budget(result, screen)
    return document


def _check_budget(result: BuildResult, screen: Screen) -> dict[str, Any]:
    from leoflow_builder.measure import measure_build

    from leoflow_cli.budget_view import show

    with screen.working("starting the image"):
        report = measure_build(result, screen.say)
    show(report, screen)
    return report.as_json()


def build(folder: Path, wish: BuildWish, screen: Screen) -> BuildResult:
    """Build a project, showing each step and what came of it; raises what the builder raises."""
    from leoflow_builder.build import build_project
    from leoflow_builder.tools import choose_tools
    from leoflow_builder.wishcheck import check_wish

    home = leoflow_home()
    check_wish(wish, folder)
    with screen.working(f"building {folder}"):
        tools = choose_tools(wish, home, screen.progress)
        result = build_project(folder, home, screen.say, _options(wish), tools)
    for line in summary(result.as_json()):
        screen.line(line)
    if result.digest_reason:
        screen.line(f"  no digest: {result.digest_reason}", style="yellow")
    return result


def _options(wish: BuildWish) -> Options:
    from leoflow_controlplane.setting import read_settings

    from leoflow_cli.environment import read_options

    return replace(read_options(read_settings(os.environ)), wish=wish)


def _show_plan(folder: Path, wish: BuildWish, quiet: bool, as_json: bool) -> None:
    from leoflow_builder.build import plan_project
    from leoflow_builder.dockerfile import render_dockerfile

    from leoflow_cli.screen import Screen

    screen = Screen(quiet=quiet)
    with screen.working(f"planning {folder}"):
        image, plan = plan_project(folder, leoflow_home(), screen.say, _options(wish))
    if as_json:
        layers = [{"name": name, "digest": digest} for name, digest in plan.layers]
        print_json({"image": image, "layers": layers, "dockerfile": render_dockerfile(plan)})
        return
    screen.line(image)
    click.echo(render_dockerfile(plan), nl=False)


def summary(document: dict[str, Any]) -> Iterator[str]:
    """Give the lines that tell the layers with their sizes, and the image."""
    for layer in document["layers"]:
        size = layer["size_bytes"]
        how = "-" if size == 0 else "reused" if layer["reused"] else "new"
        yield f"  {layer['name']:<6}{megabytes(size):>9}  {how}"
    yield (
        f"  image {megabytes(document['compressed_bytes']):>9} compressed, "
        f"{megabytes(document['unpacked_bytes'])} unpacked  {document['image']}"
    )
