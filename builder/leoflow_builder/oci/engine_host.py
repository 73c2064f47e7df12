"""Where the container engine listens, found as the `docker` command does. It connects nowhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

DEFAULT_HOST = "unix:///var/run/docker.sock"


def engine_host(environment: Mapping[str, str], home: Path) -> str:
    """Return the engine's address, such as "unix:///var/run/docker.sock".

    DOCKER_HOST has the last word, then the context that is in use; ``home`` is the user's.
    """
    if environment.get("DOCKER_HOST"):
        return environment["DOCKER_HOST"]
    folder = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    context = environment.get("DOCKER_CONTEXT") or _current_context(folder)
    if not context or context == "default":
        return DEFAULT_HOST
    return _host_of(folder, context) or DEFAULT_HOST


def _current_context(folder: Path) -> str | None:
    found = _read(folder / "config.json").get("currentContext")
    return found if isinstance(found, str) else None


def _host_of(folder: Path, context: str) -> str | None:
    # The docker command names a context's folder by a digest.
    place = hashlib.sha256(context.encode()).hexdigest()
    endpoints = _read(folder / "contexts" / "meta" / place / "meta.json").get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    host = docker.get("Host") if isinstance(docker, dict) else None
    return host if isinstance(host, str) and host else None


def _read(file: Path) -> dict[str, object]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
