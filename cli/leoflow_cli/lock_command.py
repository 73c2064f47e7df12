"""``leoflow lock``: exact versions and hashes of a project's dependencies and its base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option, project_argument
from leoflow_cli.outcome import InvalidInput
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_builder.lock import Lock

EVERYTHING = ""


@click.command("lock")
@project_argument
@click.option(
    "--upgrade",
    multiple=True,
    is_flag=False,
    flag_value=EVERYTHING,
    metavar="[NAME]",
    help="Take the newest versions that fit, of everything or only of NAME (repeatable).",
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="P,...",
    help="Lock for these as well: linux/amd64, linux/arm64; host is this machine's own Python.",
)
@json_option
def command(
    folder: Path, upgrade: tuple[str, ...], platforms: tuple[str, ...], as_json: bool
) -> None:
    """Write DIR/leoflow.lock from the dependencies in leoflow.yaml."""
    from leoflow_builder.lock import LOCK_NAME
    from leoflow_builder.locking import Upgrade
    from leoflow_builder.lockproject import lock_project
    from leoflow_builder.problem import count
    from leoflow_builder.project import load_project
    from packaging.utils import canonicalize_name

    folder, upgrade = _told_apart(folder, upgrade)
    names = frozenset(canonicalize_name(one) for one in upgrade if one != EVERYTHING)
    wanted = Upgrade(EVERYTHING in upgrade, names)
    screen = Screen()
    with screen.working("locking"):
        lock = lock_project(
            load_project(folder),
            leoflow_home(),
            screen.say,
            upgrade=wanted,
            platforms=_checked(platforms),
        )
    for platform, target in lock.targets.items():
        screen.line(f"{LOCK_NAME} holds {count(len(target.packages), 'package')} for {platform}")
    if as_json:
        print_json({"lock": str(folder / LOCK_NAME), **_as_json(lock)})


def _told_apart(folder: Path, upgrade: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    """Take `--upgrade DIR` for what it means: a folder is no package, if no other one is named."""
    last = upgrade[-1] if upgrade else EVERYTHING
    if last != EVERYTHING and folder == Path() and Path(last).is_dir():
        return Path(last), (*upgrade[:-1], EVERYTHING)
    return folder, upgrade


def _checked(platforms: tuple[str, ...]) -> list[str]:
    from leoflow_builder.lockproject import HOST
    from leoflow_builder.target import PLATFORMS

    names = [name.strip() for text in platforms for name in text.split(",") if name.strip()]
    for name in names:
        if name not in (*PLATFORMS, HOST):
            known = ", ".join((*PLATFORMS, HOST))
            raise InvalidInput(
                f"--platform '{name}' is none that leoflow knows. Write one of {known}"
            )
    return names


def _as_json(lock: Lock) -> dict[str, Any]:
    targets = {
        platform: {
            "base": target.base.name if target.base else None,
            "packages": {one.name: one.version for one in target.packages},
        }
        for platform, target in lock.targets.items()
    }
    return {"python_version": lock.python_version, "platforms": targets}
