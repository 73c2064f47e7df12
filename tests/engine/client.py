"""Finds a Docker client with buildx and asks it whether an engine answers.

It starts nothing and writes only into the folder it is given.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.report import EngineUnavailable

DEBIAN_CLIENT = Path("/usr/bin/docker")
BUILDX_MISSING = "the Docker client has no buildx plugin. Install docker-buildx"


def answers(environment: Mapping[str, str]) -> bool:
    """Tell whether an engine answers the client in this environment."""
    return _succeeds(["docker", "version"], environment)


def has_buildx(environment: Mapping[str, str]) -> bool:
    """Tell whether the client that is first on PATH knows buildx."""
    return _succeeds(["docker", "buildx", "version"], environment)


def settings_for(host: str, folder: Path) -> dict[str, str]:
    """Return the variables with which `docker` reaches `host` and knows buildx.

    The client that is first on PATH is kept when it works. Else the distribution's own is put
    before it, by a folder that holds nothing but a link to it.
    """
    for settings in _candidates(host, folder):
        if has_buildx({**os.environ, **settings}):
            return settings
    raise EngineUnavailable(BUILDX_MISSING)


def _candidates(host: str, folder: Path) -> Iterator[dict[str, str]]:
    yield {"DOCKER_HOST": host}
    if DEBIAN_CLIENT.exists():
        path = f"{_folder_with_client(folder)}:{os.environ.get('PATH', os.defpath)}"
        yield {"DOCKER_HOST": host, "PATH": path}


def _folder_with_client(folder: Path) -> Path:
    binaries = folder / "bin"
    binaries.mkdir(exist_ok=True)
    link = binaries / "docker"
    if not link.is_symlink():
        link.symlink_to(DEBIAN_CLIENT)
    return binaries


def _succeeds(command: list[str], environment: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
