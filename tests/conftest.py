"""What all tests share: where leoflow keeps its state, and which tests need what programs."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Tests import `programs` and what is in `engine` by these names.
sys.path.insert(0, str(Path(__file__).parent))

from postgresqlserver import PostgresqlServer, running_server

ROOT = Path(__file__).parents[1]
WHOLE = ("e2e", "integration", "kubernetes")
# How long an example takes says more about the machine than about the code.
TIMELESS = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
# A commit passes each time or never; what takes long looks for examples that nobody thought of.
hypothesis.settings.register_profile("quick", max_examples=30, derandomize=True, **TIMELESS)
hypothesis.settings.register_profile("long", max_examples=200, **TIMELESS)
hypothesis.settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=("auto", "none"),
        default="auto",
        help="none leaves the tests marked 'engine' out",
    )
    parser.addoption(
        "--postgres",
        choices=("auto", "none"),
        default="auto",
        help="none leaves the tests marked 'postgresql' out",
    )


# What not every cluster has: see tests/kubernetes/clusterlack.py.
_OF_CLUSTERS = {
    "storage": "volumes of a StorageClass",
    "imagevolume": "volumes that are images",
    "prepull": "the right to make DaemonSets",
    "nodes": "several nodes",
    "sparenode": "a node that tests may drain",
    "nodeswitch": "a command that stops and starts it",
    "privateregistry": "a registry that asks who pulls",
    "services": "Services with names",
    "networkpolicy": "a network plugin that keeps to NetworkPolicies",
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "engine: needs a Docker engine with buildx")
    config.addinivalue_line("markers", "postgresql: starts a private PostgreSQL")
    config.addinivalue_line("markers", "long: takes minutes; left out unless asked for with -m")
    config.addinivalue_line(
        "markers", "cluster: needs a Kubernetes cluster; left out unless asked for with -m"
    )
    for marker, what in _OF_CLUSTERS.items():
        config.addinivalue_line("markers", f"{marker}: needs {what}")
    if "long" in config.option.markexpr:
        hypothesis.settings.load_profile("long")
    # Started in the background these are ignored, by what the tests start as well.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests out by name alone: what is wanted and cannot run fails.

    What takes long comes first, so that files that run side by side end together: those with many
    containers, and those that try leoflow as a whole.
    """
    left_out = {item for item in items if _is_left_out(item, config)}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    containers = Counter(item.path for item in items if item.get_closest_marker("engine"))
    items.sort(key=lambda item: (-containers[item.path], item.path.parent.name not in WHOLE))


def _is_left_out(item: pytest.Item, config: pytest.Config) -> bool:
    asked_for = config.option.markexpr
    if any(item.get_closest_marker(name) and name not in asked_for for name in ("long", "cluster")):
        return True
    without = {"engine": config.option.engine, "postgresql": config.option.postgres}
    return any(
        chosen == "none" and item.get_closest_marker(name) for name, chosen in without.items()
    )


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines = [f"container engine: {os.environ.get('DOCKER_HOST', 'the default one')}"]
    if config.option.engine == "none":
        lines = ["container tests are left out (--engine=none)"]
    if config.option.postgres == "none":
        lines.append("tests on PostgreSQL are left out (--postgres=none)")
    return lines


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


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A private PostgreSQL for all tests together; do not stop it, `running_server` is for that."""
    with running_server() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """An empty database on PostgreSQL."""
    name = postgresql_server.make_database()
    yield postgresql_server.url(name)
    postgresql_server.drop_database(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, on SQLite and then on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'leoflow.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url
