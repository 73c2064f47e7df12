"""Executors on a fake cluster, that wait for nothing longer than they have to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fakecalls import FakeCalls, FakeCluster
from leoflow_controlplane.executor.cluster import ends, overdue, pace, tidying
from leoflow_controlplane.executor.cluster.executor import KubernetesExecutor
from leoflow_controlplane.executor.protocol import Limits, Site
from leoflow_controlplane.instance import open_instance
from leoflow_controlplane.kubernetessetting import KubernetesSettings
from leoflow_controlplane.model import SERVER
from leoflow_controlplane.pod.site import PodSite
from podground import Open


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten what is waited for."""
    monkeypatch.setattr(pace, "PAUSES_SECONDS", (0.001,))
    monkeypatch.setattr(overdue, "TICK_SECONDS", 0.002)
    monkeypatch.setattr(overdue, "AGAIN_SECONDS", 0.002)
    monkeypatch.setattr(overdue, "VANISH_SECONDS", 0.01)
    monkeypatch.setattr(ends, "LOOK_AGAIN_SECONDS", 0.001)
    monkeypatch.setattr(tidying, "AGAIN_SECONDS", 0.001)


@pytest.fixture
def cluster() -> FakeCluster:
    """Give a cluster without anything in it."""
    return FakeCluster()


@pytest.fixture
async def opened(tmp_path: Path, cluster: FakeCluster) -> AsyncIterator[Open]:
    """Give a way to open executors on ``cluster``: `await opened(schedule_timeout_seconds=1)`."""
    instance = open_instance(tmp_path)
    executors: list[KubernetesExecutor] = []

    async def open_one(
        owner: str | None = SERVER, settings: KubernetesSettings | None = None, **limits: float
    ) -> KubernetesExecutor:
        nobody: Any = None
        site = Site(instance, nobody, nobody, owner, limits=Limits(**limits))
        place = PodSite("runs", site.realm_id, site.owner_id)
        chosen = settings or KubernetesSettings(create_rate=10_000)
        calls = FakeCalls(cluster)
        executor = KubernetesExecutor(calls, place, site, chosen, "http://leoflow:8080")
        executor.open()
        executors.append(executor)
        return executor

    yield open_one
    for executor in executors:
        await executor.close(leave_running=True)
    instance.close()
