"""The Kubernetes executor keeps to the contract of all executors: on an emulated cluster, and with
`make test-kubernetes` on a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from clusterground import Dressed, Ground, Opened, assert_nothing_left, open_executor, opened
from executor_contract import ExecutorContract, Heirs, StagingContract
from leoflow_controlplane.model import SERVER


@pytest.fixture
async def made(ground: Ground, tmp_path: Path) -> AsyncIterator[Dressed]:
    async with opened(ground, tmp_path / "home") as executor:
        yield executor


@pytest.fixture
async def heirs(ground: Ground, tmp_path: Path) -> AsyncIterator[Heirs]:
    """Gives one executor after the other of the server of a home; the last is closed in the end."""
    made: list[Opened] = []
    home = tmp_path / "server"
    home.mkdir()

    async def make() -> Dressed:
        if made:
            await made[-1].server.close()
            made[-1].instance.close()
        made.append(await open_executor(ground, home, SERVER))
        return made[-1].executor

    yield make
    await made[-1].close()
    await assert_nothing_left(ground, made[-1].instance)


class TestEmulated(ExecutorContract, StagingContract):
    """See the contract."""

    slack_seconds = 1.05


@pytest.mark.cluster
class TestCluster(ExecutorContract):
    """See the contract. The API writes whole seconds, of another machine's clock."""

    slack_seconds = 3.0


@pytest.mark.cluster
@pytest.mark.storage
class TestClusterStorage(StagingContract):
    """See the contract."""
