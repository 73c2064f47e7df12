"""What the builder's tests share: mirrors and indexes of files that a test makes itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from leoflow_builder.debpackage import DebPackage

sys.path.insert(0, str(Path(__file__).parent))

from debmirror import FakeIndex, make_deb
from wheelindex import WheelIndex


@pytest.fixture
def deb() -> Callable[..., tuple[DebPackage, Path]]:
    """Give the function that makes a .deb."""
    return make_deb


@pytest.fixture
def mirror() -> type[FakeIndex]:
    """Give the class of mirrors in memory."""
    return FakeIndex


@pytest.fixture
def wheel_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WheelIndex:
    """An empty index that is the only one in pip's settings."""
    index = WheelIndex(tmp_path / "index")
    index.root.mkdir()
    settings = tmp_path / "pip.conf"
    settings.write_text(f"[global]\nindex-url = {index.url}\n")
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    # An extra index in a global pip.conf of this machine's would otherwise count as well.
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, index.url)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "5")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return index
