"""`leoflow lock`: writes leoflow.lock on request, for several platforms, with upgrades if wanted.

What a build does to a lock by the way is ``prepare``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leoflow_builder.host import host_basis
from leoflow_builder.lock import HOST_PREFIX, Lock, read_lock
from leoflow_builder.locking import (
    Basis,
    Locksmith,
    MakeTool,
    Say,
    Upgrade,
    difference,
    remake_lock,
    with_others,
)
from leoflow_builder.pinnedbase import Pins, host_architecture
from leoflow_builder.prepare import find_basis, locksmith
from leoflow_builder.project import Project

HOST = "host"


def lock_project(
    project: Project,
    home: Path,
    say: Say,
    *,
    upgrade: Upgrade | None = None,
    platforms: Sequence[str] = (),
    make_tool: MakeTool | None = None,
) -> Lock:
    """Return a project's lock; leoflow.lock is written if it does not fit, or is to be upgraded.

    ``platforms`` are added to the locked ones: "linux/amd64", or "host" for the subprocess mode on
    this machine. Without any it is this machine's, if nothing is locked yet.
    """
    upgrade = upgrade or Upgrade()
    smith = locksmith(project, home, say, make_tool)
    known = None if upgrade.everything and not _is_readable(project) else read_lock(project.folder)
    keys = _keys(known, platforms)
    bases = [_basis(key, known, smith, home, upgrade.everything) for key in keys]
    if known is not None and not upgrade:
        reason = difference(known, smith, bases)
        if reason is None:
            return known
        say(f"leoflow.lock is made anew: {reason}")
    return remake_lock(known, smith, with_others(known, bases) if known else bases, upgrade)


def _is_readable(project: Project) -> bool:
    """Let an upgrade of everything replace a broken lock, as its message promises."""
    from leoflow_builder.problem import ProjectError

    try:
        read_lock(project.folder)
    except ProjectError:
        return False
    return True


def _keys(known: Lock | None, platforms: Sequence[str]) -> list[str]:
    wanted = [*(known.targets if known else ()), *(_key(one) for one in platforms)]
    return list(dict.fromkeys(wanted)) or [_key(f"linux/{host_architecture()}")]


def _key(platform: str) -> str:
    return f"{HOST_PREFIX}linux/{host_architecture()}" if platform == HOST else platform


def _basis(key: str, known: Lock | None, smith: Locksmith, home: Path, newest: bool) -> Basis:
    if key.startswith(HOST_PREFIX):
        return host_basis(smith.project)
    locked = known.targets.get(key) if known else None
    return find_basis(smith.project, key, home, smith.say, Pins(locked, newest=newest))
