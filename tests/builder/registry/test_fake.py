"""The fake keeps to the contract of real registries."""

from __future__ import annotations

import pytest
from fake_registry import FakeRegistry
from registry_contract import RegistryContract


@pytest.fixture
def host(fake: FakeRegistry) -> str:
    return fake.host


class TestFake(RegistryContract):
    """See the contract."""
