"""`leoflow server --check`: what it would use, and whether that is there. Changes nothing: no table
is made, no container is started, and a port is let go of at once.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from leoflow_controlplane.database.fault import unusable
from leoflow_controlplane.database.migration import require_readable
from leoflow_controlplane.database.place import find_place
from leoflow_controlplane.error import ControlPlaneError
from leoflow_controlplane.server.listener import bind
from leoflow_controlplane.server.place import agents_address
from leoflow_controlplane.serversetting import ServerSettings
from leoflow_controlplane.vault import KEY_FILE, read_keys


class Setting(NamedTuple):
    """A setting as people read it: secrets are masked."""

    name: str
    value: str
    source: str
    meaning: str


class Finding(NamedTuple):
    """Something that a server would need. ``problem`` is None if it is there."""

    what: str
    where: str
    problem: str | None


class Check(NamedTuple):
    """What a server would use."""

    settings: list[Setting]
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether a server would start."""
        return all(finding.problem is None for finding in self.findings)


def check(settings: ServerSettings) -> Check:
    """Look at everything that a server needs at its start; raises nothing."""
    rows = [
        Setting(one.option.name, one.shown, one.source, one.option.meaning)
        for one in settings.chosen
    ]
    return Check(rows, list(_findings(settings)))


def _findings(settings: ServerSettings) -> Iterator[Finding]:
    yield Finding("home", str(settings.home), _try(_check_home, settings))
    yield Finding("port", f"{settings.host}:{settings.port}", _try(_check_port, settings))
    where = settings.home / "leoflow.db" if settings.database_url is None else "database_url"
    yield Finding("database", str(where), _try(_check_database, settings))
    yield _look_at_executor(settings)
    yield Finding("keys", _keys_place(settings), _try(_check_keys, settings))
    if settings.tls_cert is not None:
        yield Finding("tls", settings.tls_cert, _try(_check_tls, settings))


def _try(look: Callable[[ServerSettings], None], settings: ServerSettings) -> str | None:
    try:
        look(settings)
    except ControlPlaneError as error:
        return str(error)
    except OSError as error:
        return f"{error.strerror or error}: '{error.filename}'" if error.filename else str(error)
    return None


def _check_home(settings: ServerSettings) -> None:
    folder = settings.home
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ControlPlaneError(f"'{folder}' cannot be written to. Set LEOFLOW_HOME to a folder.")


def _check_port(settings: ServerSettings) -> None:
    bind(settings.host, settings.port).close()


def _check_database(settings: ServerSettings) -> None:
    url = settings.database_url or settings.home / "leoflow.db"
    place = find_place(url)
    if isinstance(url, Path) and not url.exists():
        return
    engine = place.reading()
    try:
        with engine.connect() as connection:
            require_readable(connection, place)
    except ControlPlaneError:
        raise
    except Exception as error:
        raise unusable(place.name, error, place.advice) from None
    finally:
        engine.dispose()


def _look_at_executor(settings: ServerSettings) -> Finding:
    if settings.executor != "kubernetes":
        place = "" if settings.engine is None else f", {settings.engine['DOCKER_HOST']}"
        return Finding("executor", settings.executor + place, _try(_check_executor, settings))
    from leoflow_controlplane.executor.cluster.opening import look_at_cluster

    try:
        where = asyncio.run(look_at_cluster(settings.kubernetes, os.environ))
        address = agents_address(settings)
    except ControlPlaneError as error:
        return Finding("executor", "kubernetes", str(error))
    assert address is not None
    return Finding("executor", f"kubernetes, {where}; agents report to {address.url}", None)


def _check_executor(settings: ServerSettings) -> None:
    if settings.executor == "subprocess":
        folder = Path(settings.subprocess_projects or ".")
        if not folder.is_dir():
            raise ControlPlaneError(f"subprocess_projects is '{folder}', which is no folder.")
        return
    from leoflow_controlplane.executor.docker.engine import open_engine

    agents_address(settings)
    open_engine(settings.engine).close()


def _check_keys(settings: ServerSettings) -> None:
    if settings.secret_key is not None:
        read_keys(settings.secret_key, "secret_key")
    elif (settings.home / KEY_FILE).exists():
        read_keys((settings.home / KEY_FILE).read_text(), str(settings.home / KEY_FILE))


def _keys_place(settings: ServerSettings) -> str:
    return str(settings.home / KEY_FILE) if settings.secret_key is None else "secret_key"


def _check_tls(settings: ServerSettings) -> None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_cert or "", settings.tls_key)
    except ssl.SSLError as error:
        raise ControlPlaneError(
            f"'{settings.tls_cert}' and '{settings.tls_key}' are no certificate and its key: "
            f"{error.reason or error}."
        ) from None
