"""Where the container engine listens, found as the `docker` command does. It connects nowhere.

The one place that knows docker's contexts: the command line hands what is found here to the control
plane, which knows Docker's variables alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from leoflow_builder.failure import EngineError

DEFAULT_HOST = "unix:///var/run/docker.sock"
HOST = "DOCKER_HOST"
_TLS = ("DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
# Containers on another machine find no way back by it, and no library for it is installed.
_NO_SSH = (
    "the engine is at '{host}', and leoflow does not talk to engines by ssh. Forward its socket: "
    "`ssh -NL /tmp/engine.sock:/var/run/docker.sock {there}`, and then set "
    "DOCKER_HOST=unix:///tmp/engine.sock"
)
_CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")


class _Context(NamedTuple):
    """A context that is in use; ``named_by`` is the variable or the file that names it."""

    name: str
    named_by: str
    folder: Path


def find_engine(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return Docker's variables for the engine: DOCKER_HOST, and for TLS those with certificates.

    DOCKER_HOST has the last word, then the context of DOCKER_CONTEXT, then that of
    `docker context use`; ``home`` is the user's. EngineError if a context is none, or of an engine
    that cannot be reached in its way.
    """
    found = _find(environment, home)
    if found[HOST].startswith("ssh://"):
        raise EngineError(
            _NO_SSH.format(host=found[HOST], there=found[HOST].removeprefix("ssh://"))
        )
    return found


def _find(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    if environment.get(HOST):
        return {name: environment[name] for name in (HOST, *_TLS) if environment.get(name)}
    folder = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    context = _context_in_use(environment, folder)
    if context is None:
        return {HOST: DEFAULT_HOST}
    return _variables_of(context)


def _context_in_use(environment: Mapping[str, str], folder: Path) -> _Context | None:
    named_by = "DOCKER_CONTEXT"
    name: object = environment.get(named_by)
    if not name:
        named_by = f"'{folder / 'config.json'}'"
        name = _read(folder / "config.json").get("currentContext")
    if not isinstance(name, str) or name in ("", "default"):
        return None
    return _Context(name, named_by, folder)


def _variables_of(context: _Context) -> dict[str, str]:
    # The docker command names a context's folders by a digest.
    place = hashlib.sha256(context.name.encode()).hexdigest()
    endpoints = _read(context.folder / "contexts" / "meta" / place / "meta.json").get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    host = docker.get("Host") if isinstance(docker, dict) else None
    if not isinstance(docker, dict) or not isinstance(host, str) or not host:
        raise EngineError(
            f"there is no docker context '{context.name}', which {context.named_by} names. "
            "`docker context ls` shows those that there are; or set DOCKER_HOST"
        )
    if not host.startswith("tcp://"):
        return {HOST: host}
    certificates = context.folder / "contexts" / "tls" / place / "docker"
    verified = not docker.get("SkipTLSVerify")
    if not certificates.is_dir() and verified:
        return {HOST: host}
    _require(certificates, context.name)
    tls = {_TLS[0]: str(certificates)} | ({_TLS[1]: "1"} if verified else {})
    return {HOST: host, **tls}


def _require(certificates: Path, context: str) -> None:
    missing = [name for name in _CERTIFICATES if not (certificates / name).is_file()]
    if missing:
        raise EngineError(
            f"docker context '{context}' has no {' and no '.join(missing)}, and leoflow talks TLS "
            "to an engine with all of ca, cert and key. Give it these: `docker context update "
            f"{context} --docker host=…,ca=…,cert=…,key=…`"
        )


def _read(file: Path) -> dict[str, object]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
