"""The credentials that `docker login` and its like have left on this machine, read only.

https://docs.docker.com/reference/cli/docker/login/ and containers-auth.json(5).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leoflow_builder.registry.credential_helper import RunHelper, ask_helper, run_helper
from leoflow_builder.registry.failure import CredentialError
from leoflow_builder.registry.reference import DOCKER_HUB

_HUB_ADDRESS = "https://index.docker.io/v1/"
_HUB_HOSTS = ("index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True)
class Credential:
    """How to log in; ``source`` says for people where it was found. Secrets stay out of repr.

    A user with a password, or an ``identity_token`` to be exchanged (OAuth 2), or a
    ``registry_token`` to be sent as it is.
    """

    source: str
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    def __str__(self) -> str:
        if self.identity_token or self.registry_token:
            return f"a token from {self.source}"
        return f"user '{self.username}' from {self.source}"


Find = Callable[[str, str], Credential | None]


def find_nothing(_host: str, _repository: str) -> Credential | None:
    """Log in nowhere."""
    return None


def docker_credentials(
    environment: Mapping[str, str] = os.environ, run: RunHelper = run_helper
) -> Find:
    """Return what looks credentials up, by host and repository, as docker and podman do.

    REGISTRY_AUTH_FILE comes first, then config.json in DOCKER_CONFIG or ~/.docker. Each lookup
    reads the files anew and raises CredentialError if what is configured cannot be had.
    """

    def find(host: str, repository: str) -> Credential | None:
        for path in _files(environment):
            found = _find_in(path, _read(path), (host, repository), run)
            if found is not None:
                return found
        return None

    return find


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    named = environment.get("REGISTRY_AUTH_FILE")
    if named:
        if not Path(named).exists():
            raise CredentialError(
                f"REGISTRY_AUTH_FILE names '{named}', which does not exist. Log in, or unset it"
            )
        yield Path(named)
    folder = environment.get("DOCKER_CONFIG")
    docker = Path(folder) if folder else Path(environment.get("HOME", "~"), ".docker").expanduser()
    if (docker / "config.json").exists():
        yield docker / "config.json"


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise CredentialError(f"'{path}' cannot be read: {error.strerror}") from error
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise CredentialError(f"'{path}' is not JSON as `docker login` writes it. Log in again")
    return document


def _find_in(
    path: Path, config: Mapping[str, Any], wanted: tuple[str, str], run: RunHelper
) -> Credential | None:
    host, repository = wanted
    helper = _section(path, config, "credHelpers").get(host) or config.get("credsStore")
    if helper:
        address = _HUB_ADDRESS if host == DOCKER_HUB else host
        answer = ask_helper(str(helper), address, str(path), run)
        if answer is not None:
            source = f"the credential helper 'docker-credential-{helper}'"
            if answer.username == "<token>":
                return Credential(source, identity_token=answer.secret)
            return Credential(source, answer.username, answer.secret)
    entries = _section(path, config, "auths")
    for name in _names(host, repository):
        if entries.get(name):
            return _credential(path, name, entries[name])
    return None


def _section(path: Path, config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a section by plain names; an entry that is written plainly wins."""
    section = config.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise CredentialError(f"'{name}' in '{path}' is not an object. Log in again")
    keys = sorted(section, key=lambda key: key == _plain(key))
    return {_plain(key): section[key] for key in keys}


def _plain(key: str) -> str:
    """Return the host, or host and path, of keys such as "https://index.docker.io/v1/"."""
    name = key.partition("://")[2] or key
    name = name.rstrip("/").removesuffix("/v1").removesuffix("/v2")
    return DOCKER_HUB if name in _HUB_HOSTS else name


def _names(host: str, repository: str) -> Iterator[str]:
    """Give the names under which credentials of a repository may be, the nearest first."""
    parts = [host, *repository.split("/")]
    for length in range(len(parts), 0, -1):
        yield "/".join(parts[:length])


def _credential(path: Path, name: str, entry: Any) -> Credential:
    broken = f"the credentials of '{name}' in '{path}' cannot be read. Log in again"
    if not isinstance(entry, dict):
        raise CredentialError(broken)
    username, password = str(entry.get("username", "")), str(entry.get("password", ""))
    if entry.get("auth"):
        try:
            decoded = base64.b64decode(entry["auth"], validate=True).decode()
        except (binascii.Error, TypeError, ValueError):
            raise CredentialError(broken) from None
        username, colon, password = decoded.rstrip("\0").partition(":")
        if not colon:
            raise CredentialError(broken)
    return Credential(
        f"'{path}'",
        username,
        password,
        str(entry.get("identitytoken", "")),
        str(entry.get("registrytoken", "")),
    )
