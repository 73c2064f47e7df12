"""What the tests of the control plane share; the words they use are in ``house``."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from house import SETTINGS, House, OpenHouse
from leoflow_controlplane.controlplane import NO_SECRETS, ControlPlane, Role
from leoflow_controlplane.executor.fake import FakeExecutor, Script, succeed
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.secretsource import SecretSource

RUN = Role()


@pytest.fixture
def open_house(tmp_path: Path) -> OpenHouse:
    """Give a way to open a House: `async with open_house(script, name=value of a setting)`."""

    @asynccontextmanager
    async def opened(
        script: Script = succeed,
        secrets: SecretSource = NO_SECRETS,
        role: Role = RUN,
        **settings: Any,
    ) -> AsyncIterator[House]:
        executors: list[FakeExecutor] = []

        async def factory(site: Site) -> FakeExecutor:
            executors.append(FakeExecutor(site.desk, script))
            return executors[0]

        chosen = replace(SETTINGS, **settings)
        async with ControlPlane(tmp_path, factory, chosen, secrets, role=role) as plane:
            yield House(plane, executors[0])

    return opened
