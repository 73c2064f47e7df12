"""What the tests of the registry client share; the registries they talk to are in modules here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_registry import FakeRegistry


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    """A registry on loopback that can be told to misbehave."""
    with FakeRegistry() as registry:
        yield registry
