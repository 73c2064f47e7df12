"""What all tests share: where leoflow keeps its state, and which tests need a container engine."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parents[1]
# Tests import `programs` and what is in `engine` by these names.
sys.path.insert(0, str(ROOT / "tests"))
# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("leoflow", deadline=None)
hypothesis.settings.load_profile("leoflow")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=("auto", "none"),
        default="auto",
        help="none leaves the tests marked 'engine' out",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "engine: needs a Docker engine with buildx")
    config.addinivalue_line("markers", "long: takes minutes; left out unless asked for with -m")
    # Started in the background these are ignored, by what the tests start as well.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests out by name alone: what is wanted and cannot run fails."""
    left_out = [item for item in items if _is_left_out(item, config)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _is_left_out(item: pytest.Item, config: pytest.Config) -> bool:
    if item.get_closest_marker("long") and "long" not in config.option.markexpr:
        return True
    return config.option.engine == "none" and item.get_closest_marker("engine") is not None


def pytest_report_header(config: pytest.Config) -> str:
    if config.option.engine == "none":
        return "container tests are left out (--engine=none)"
    return f"container engine: {os.environ.get('DOCKER_HOST', 'the default one')}"


@pytest.fixture(scope="session")
def shared_home() -> Path:
    """A LEOFLOW_HOME that outlives the tests, so that bases and wheels are fetched once."""
    home = Path(os.environ.get("LEOFLOW_TEST_HOME", ROOT / ".leoflow"))
    home.mkdir(parents=True, exist_ok=True)
    return home


@pytest.fixture
def home(tmp_path: Path, shared_home: Path) -> Path:
    """A LEOFLOW_HOME of the test's own, with the shared cache in it."""
    own = tmp_path / "leoflow-home"
    own.mkdir()
    (shared_home / "cache").mkdir(exist_ok=True)
    (own / "cache").symlink_to(shared_home / "cache", target_is_directory=True)
    return own
