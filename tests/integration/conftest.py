"""What integration tests share that no file of theirs can hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Tests import what lies beside them by its name.
sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from httpmode import Mode


@pytest.fixture(params=["pod", "inline"])
def mode(
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Mode:
    """An http_api task in both forms, one after the other; see `httpmode.make_mode`."""
    from httpmode import PROXIES, make_mode

    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return make_mode(request.param, capfd)
