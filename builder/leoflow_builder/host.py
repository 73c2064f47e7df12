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

from leoflow_builder.depslayer import Installation
from leoflow_builder.failure import BuildError
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.lock import Lock, read_lock, stale_reason
from leoflow_builder.locking import ensure_lock
from leoflow_builder.pextool import Pex
from leoflow_builder.plan import Ground
from leoflow_builder.prepare import Environment, Footing, install, make_pex
from leoflow_builder.project import Project
from leoflow_builder.target import MACHINES, Target

Say = Callable[[str], None]
NO_BASE = "none: locked for the subprocess mode"


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


def prepare_host(project: Project, home: Path, say: Say, pex: Pex | None = None) -> Environment:
    """Return the environment of a project for this host; leoflow.lock is used, or written.

    BuildError if the project's images and this host have different platforms.
    """
    host, pex = this_host(), pex or make_pex(home)
    reason = refusal(host, project.python_version)
    if reason:
        raise BuildError(reason)
    target = host_target(host)
    place = Installation(
        f"/usr/bin/python{target.python_minor}",
        f"/usr/local/lib/python{target.python_minor}/dist-packages",
    )
    ground = Ground(target.platform, place)
    footing = Footing(target, ground, HostInterpreter(host.python), NO_BASE)
    return install(project, footing, _host_lock(project, target, pex, say), pex, home, say)


def host_target(host: Host) -> Target:
    """Return the platform of a host that was not refused."""
    words = {machine: word for word, machine in MACHINES.items()}
    return Target(host.python_version, host.glibc or "", words[host.machine])


def _host_lock(project: Project, target: Target, pex: Pex, say: Say) -> Lock:
    """Take a lock made for an image with an older glibc as it is, since its wheels run here too."""
    known = read_lock(project.folder)
    if known is None:
        return ensure_lock(project, target, NO_BASE, pex, say)
    made_for = Target(target.python_version, known.glibc, target.architecture)
    if not stale_reason(known, project.dependencies, made_for) and runs_on(known, target):
        return known
    return ensure_lock(project, target, known.base, pex, say)


def runs_on(lock: Lock, target: Target) -> bool:
    """Tell whether wheels for a lock's glibc run with the glibc of a target."""
    return _numbers(lock.glibc) <= _numbers(target.glibc)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
