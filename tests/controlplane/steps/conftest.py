"""Each test of steps has a database of its own: SQLite in memory, or what its name says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ground import Ground, open_ground


@pytest.fixture
def ground() -> Iterator[Ground]:
    """A ground on a database in memory."""
    made = open_ground("sqlite://")
    yield made
    made.engine.dispose()


@pytest.fixture
def durable(database_url: str) -> Iterator[Ground]:
    """A ground on SQLite, and then on PostgreSQL."""
    made = open_ground(database_url)
    yield made
    made.engine.dispose()
