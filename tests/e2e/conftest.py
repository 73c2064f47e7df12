"""The command ``leoflow`` as a person types it, in a process of its own."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

ROOT = Path(__file__).parents[2]
LEOFLOW = Path(sys.executable).with_name("leoflow")


class Leoflow:
    """Runs leoflow with a LEOFLOW_HOME of the test's own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "LEOFLOW_HOME": str(home), "NO_COLOR": "1"}

    def start(self, *args: object, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [LEOFLOW, *map(str, args)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def __call__(self, *args: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        with self.start(*args) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.terminate()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def json(self, *args: object, timeout: float = 300) -> tuple[int, dict[str, Any]]:
        """Run with --json; return the exit code and the one object on stdout."""
        ended = self(*args, "--json", timeout=timeout)
        try:
            return ended.returncode, json.loads(ended.stdout)
        except ValueError:
            raise AssertionError(f"no JSON on stdout: {ended.stdout}\n{ended.stderr}") from None


@pytest.fixture
def leoflow(home: Path) -> Leoflow:
    return Leoflow(home)


@pytest.fixture
def server(leoflow: Leoflow, tmp_path: Path) -> Iterator[str]:
    """A control plane with that LEOFLOW_HOME, which commands of `leoflow` ask; gives its URL."""
    database = f"sqlite:///{tmp_path / 'server.db'}"
    with leoflow.start("server", "--port", "0", "--db", database, "--new-admin-token") as process:
        assert process.stderr is not None
        said = ""
        while "the token of an admin" not in said:
            line = process.stderr.readline()
            assert line, f"the server ended: {said}"
            said += line
        url = said.split(" at ", 1)[1].split()[0]
        leoflow.environment["LEOFLOW_SERVER"] = url
        yield url
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.fixture
def project(tmp_path: Path) -> Any:
    """Return a function that copies an example, so that a test may change it."""
    numbers = itertools.count(1)

    def copy(name: str) -> Path:
        folder = tmp_path / f"copy-{next(numbers)}" / Path(name).name
        shutil.copytree(
            ROOT / "examples" / name,
            folder,
            ignore=shutil.ignore_patterns("__pycache__", "dag.json"),
        )
        return folder

    return copy


@pytest.fixture
def pip_download() -> Any:
    """Return a function that fetches one wheel with the index settings of this machine."""

    def fetch(requirement: str, folder: Path) -> Path:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", requirement, "-d", folder],
            check=True,
        )
        return next(folder.glob("*.whl"))

    return fetch


class Engine:
    """What the container engine holds of leoflow's."""

    def __init__(self) -> None:
        self._client = docker.from_env()

    def leftovers(self, home: Path) -> list[str]:
        """Return the names of containers, volumes and networks that belong to ``home``."""
        label = {"label": f"leoflow.home={(home / 'id').read_text().strip()}"}
        found = [
            *self._client.containers.list(all=True, filters=label, ignore_removed=True),
            *self._client.volumes.list(filters=label),
            *self._client.networks.list(filters=label),
        ]
        return [item.name for item in found]

    def running(self, home: Path) -> list[str]:
        label = {"label": f"leoflow.home={(home / 'id').read_text().strip()}"}
        return [
            item.name for item in self._client.containers.list(filters=label, ignore_removed=True)
        ]

    def images(self) -> set[str]:
        # The client's own list looks at each, and fails where a test beside this one removes one.
        return {tag for image in self._client.api.images() for tag in image["RepoTags"] or ()}

    def gateway(self) -> str:
        """Return the host's address on the default bridge, which containers can reach."""
        settings = self._client.networks.get("bridge").attrs["IPAM"]["Config"][0]
        return str(settings["Gateway"])

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    client = Engine()
    yield client
    client.close()
