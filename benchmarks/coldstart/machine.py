"""What a figure depends on besides leoflow: the machine, without names, and the sources' commit."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def facts(client: Any, why_no_cpu: str | None) -> dict[str, Any]:
    """Return facts of this machine and its engine; none of them tells whose it is."""
    info, version = client.info(), client.version()
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "engine": version["Version"],
        "runtime": f"{info['DefaultRuntime']} {_component(version, 'runc')}".strip(),
        "storage_driver": info["Driver"],
        "image_store": _image_store(info),
        "cgroup_version": info.get("CgroupVersion"),
        "cpu_not_measured": why_no_cpu,
    }


def command() -> str:
    """Return the command that this is, as a person would type it."""
    return shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]])


def commit() -> str:
    """Return the commit of the sources, with a plus sign if they differ from it."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        return name + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _component(version: dict[str, Any], name: str) -> str:
    found = [one["Version"] for one in version.get("Components", ()) if one["Name"] == name]
    return str(found[0]) if found else ""


def _image_store(info: dict[str, Any]) -> str:
    status = dict(tuple(pair) for pair in info.get("DriverStatus") or ())
    is_containerd = status.get("driver-type", "").startswith("io.containerd.snapshotter")
    return "containerd" if is_containerd else "classic"
