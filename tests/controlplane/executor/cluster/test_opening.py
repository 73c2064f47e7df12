"""Whether a process waits for an API server that cannot be used when it starts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.cluster import opening
from leoflow_controlplane.executor.cluster.connect import Access
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import Away, Broken, CallFailed, Unauthorized
from leoflow_controlplane.kubernetessetting import KubernetesSettings
from leoflow_controlplane.pod.site import PodSite

SITE = PodSite("runs", "realm", "owner")
FAULTS = [Away("refused"), Broken("etcdserver: request timed out"), Unauthorized("no")]


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    connection = Connection(Access(str(tmp_path / "config"), None, "runs"))
    connection._line = SimpleNamespace(host="https://h:1")  # type: ignore[assignment]
    return connection


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[CallFailed]:
    """Let the check fail once with each of what is put in here."""
    faults: list[CallFailed] = []

    async def check_rights(*_: Any, **__: Any) -> None:
        if faults:
            raise faults.pop(0)

    monkeypatch.setattr(opening, "check_rights", check_rights)
    monkeypatch.setattr(opening, "pause", lambda _: 0.0)
    return faults


async def test_a_server_waits_for_an_api_server_that_is_away_or_fails(
    connection: Connection, asked: list[CallFailed]
) -> None:
    asked.extend(FAULTS)
    await opening._check(connection, SITE, KubernetesSettings(), patient=True)
    assert asked == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_a_run_is_told_at_once(
    connection: Connection, asked: list[CallFailed], fault: CallFailed
) -> None:
    asked.append(fault)
    with pytest.raises(ExecutorUnusable, match=fault.words):
        await opening._check(connection, SITE, KubernetesSettings(), patient=False)
