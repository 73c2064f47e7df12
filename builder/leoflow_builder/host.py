"""The subprocess mode's environment: the locked wheels for this host's own Python.

For development only. It needs neither a base image nor an engine, and refuses what it cannot run.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.failure import BuildError
from leoflow_builder.ground import Ground
from leoflow_builder.installation import Installation
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.lock import HOST_PREFIX, Lock, read_lock
from leoflow_builder.locking import (
    Basis,
    Locksmith,
    MakeTool,
    changed_project,
    remake_lock,
    require_lock,
    runs_with,
    with_others,
)
from leoflow_builder.prepare import Environment, Footing, install, locksmith
from leoflow_builder.project import Project
from leoflow_builder.target import ARCHITECTURES, MACHINES, Target

Say = Callable[[str], None]


@dataclass(frozen=True)
class Host:
    """A machine and the Python that leoflow runs on. ``glibc`` is None where there is none."""

    system: str
    machine: str
    python: Path
    python_version: str
    implementation: str
    glibc: str | None


def this_host() -> Host:
    """Return what this process runs on."""
    name, version = platform.libc_ver()
    return Host(
        system=platform.system(),
        machine=platform.machine(),
        python=Path(os.path.realpath(sys.executable)),
        python_version=platform.python_version(),
        implementation=platform.python_implementation(),
        glibc=version if name == "glibc" else None,
    )


def refusal(host: Host, python_minor: str) -> str | None:
    """Say why a project for a Python minor version cannot run without a container here, or None."""
    fix = "or run it in containers: `--executor docker`"
    if host.system != "Linux" or host.glibc is None or host.machine not in MACHINES.values():
        found = f"{host.system} on {host.machine}" + ("" if host.glibc else " without glibc")
        return (
            "the subprocess mode installs the image's own wheels, which are for Linux with glibc, "
            f"and this is {found}. Use such a machine, {fix}"
        )
    if host.implementation != "CPython" or _minor(host.python_version) != python_minor:
        found = f"{host.implementation} {host.python_version}"
        return (
            f"the project wants Python {python_minor} and leoflow itself runs on {found}, which "
            f"the subprocess mode would use. Install leoflow for Python {python_minor}, {fix}"
        )
    return None


def prepare_host(
    project: Project,
    home: Path,
    say: Say,
    *,
    locked: bool = False,
    make_tool: MakeTool | None = None,
) -> Environment:
    """Return the environment of a project for this host; a lock is written if there is none.

    BuildError if this host can run nothing of what is locked. With ``locked`` nothing is written.
    """
    basis = host_basis(project)
    target = basis.target
    smith = locksmith(project, home, say, make_tool)
    lock = _host_lock(smith, basis, locked)
    key = _runnable(lock, target)
    if key is None:
        raise BuildError(_nothing_runs(lock, target))
    place = Installation(
        f"/usr/bin/python{target.python_minor}",
        f"/usr/local/lib/python{target.python_minor}/dist-packages",
    )
    ground = Ground(target.platform, place)
    footing = Footing(target, ground, HostInterpreter(this_host().python), None)
    return install(smith, footing, lock, key, home)


def host_basis(project: Project) -> Basis:
    """Return what to lock for the subprocess mode here; BuildError if it cannot run here at all."""
    host = this_host()
    reason = refusal(host, project.python_version)
    if reason:
        raise BuildError(reason)
    target = host_target(host)
    return Basis(f"{HOST_PREFIX}{target.platform}", target)


def host_target(host: Host) -> Target:
    """Return the platform of a host that was not refused."""
    return Target(host.python_version, host.glibc or "", ARCHITECTURES[host.machine])


def _host_lock(smith: Locksmith, basis: Basis, locked: bool) -> Lock:
    """Take the lock as it is where it fits the project; an image's wheels mostly run here too."""
    project = smith.project
    known = read_lock(project.folder)
    if locked:
        return require_lock(known, project, smith.dependencies)
    if known is None:
        return remake_lock(None, smith, [basis])
    reason = changed_project(known, project, smith.dependencies)
    if reason is None:
        return known
    smith.say(f"leoflow.lock is made anew: {reason}")
    if _runnable(known, basis.target):
        others = with_others(known, [basis])[1:]
        return remake_lock(known, smith, others)
    return remake_lock(known, smith, with_others(known, [basis]))


def _runnable(lock: Lock, target: Target) -> str | None:
    """Return the locked platform whose wheels run on a target, the image's before the host's."""
    for key in (target.platform, f"{HOST_PREFIX}{target.platform}"):
        if key in lock.targets and runs_with(lock.targets[key].glibc, target.glibc):
            return key
    return None


def _nothing_runs(lock: Lock, target: Target) -> str:
    made_for = ", ".join(f"{key} with glibc {one.glibc}" for key, one in lock.targets.items())
    return (
        f"leoflow.lock is for {made_for or 'no platform'}, and this host is {target.platform} with "
        f"glibc {target.glibc}. Add it with `leoflow lock --platform host`, or run the project in "
        "containers: `--executor docker`"
    )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
