"""An emulated cluster for each test, and a client that shows what it answers as it is."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "controlplane"))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from clusterground import Ground, emulated_ground, real_ground
from emulator.cluster import Cluster, running_cluster
from emulatorclient import Client


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """A cluster whose Pods go their way at once."""
    async with running_cluster(bookmark_seconds=0.1) as cluster:
        yield cluster


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    """Somebody who asks it."""
    async with Client(cluster.url) as client:
        yield client


@pytest.fixture
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    """An emulated cluster, or the real one for what is marked ``cluster``."""
    if request.node.get_closest_marker("cluster"):
        return real_ground()
    return emulated_ground(request.getfixturevalue("cluster"), tmp_path)
