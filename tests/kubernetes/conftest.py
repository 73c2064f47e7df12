"""An emulated cluster for each test, and the official client on it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "controlplane"))

from emulator.cluster import Cluster, running_cluster


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """A cluster whose Pods go their way at once."""
    async with running_cluster() as cluster:
        yield cluster


@pytest.fixture
async def core(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Any]:
    """The official client's core/v1 API."""
    from kubernetes.aio import client, config

    api = await config.new_client_from_config(str(cluster.write_kubeconfig(tmp_path / "config")))
    async with api:
        yield client.CoreV1Api(api)
