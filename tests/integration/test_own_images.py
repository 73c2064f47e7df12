"""The images of leoflow itself, made and started as a cluster would start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import docker
import pytest
from docker.models.containers import Container
from freeport import free_port
from postgresqlserver import PostgresqlServer

LEOFLOW = [sys.executable, "-c", "from leoflow_cli.entry import main; main()"]
# What the restricted Pod Security Standard asks for, and a root that nobody can write to.
RESTRICTED = {
    "read_only": True,
    "user": "65532:65532",
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "tmpfs": {"/tmp": "mode=1777", "/home/leoflow": "uid=65532,gid=65532,mode=700"},
}
# The base, the locked wheels and leoflow: 53.9 MB when this was set.
SERVER_LIMIT_BYTES = 60_000_000
AGENTS_LIMIT_BYTES = 300_000
START_SECONDS = 60


def leoflow(home: Path, *arguments: object) -> dict[str, Any]:
    command = [*LEOFLOW, *map(str, arguments), "--json"]
    environment = {**os.environ, "LEOFLOW_HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def tag(engine: docker.DockerClient) -> Iterator[str]:
    name = f"leoflow-test/own:{uuid4().hex[:12]}"
    yield name
    engine.images.remove(name, force=True)


def health(port: int, container: Container) -> dict[str, object]:
    """Wait until the server leads, and return what it says of itself."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError):
            answer = urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
            found: dict[str, object] = json.load(answer)
            return found
        time.sleep(0.1)
    raise AssertionError(container.logs().decode())


@pytest.mark.engine
@pytest.mark.postgresql
@pytest.mark.long
def test_the_server_starts_restricted_and_makes_its_tables(
    engine: docker.DockerClient,
    tag: str,
    home: Path,
    postgresql_server: PostgresqlServer,
    postgresql_url: str,
):
    made = leoflow(home, "server-image", "--tag", tag)
    assert made["compressed_bytes"] < SERVER_LIMIT_BYTES
    port, database = free_port(), postgresql_url.partition("@/")[2].partition("?")[0]
    container = engine.containers.run(
        tag,
        ["--executor", "subprocess", "--subprocess-projects", "/tmp", "--port", str(port)],
        environment={"LEOFLOW_DATABASE_URL": postgresql_server.url(database, tcp=True)},
        network_mode="host",
        detach=True,
        **RESTRICTED,
    )
    try:
        assert health(port, container)["leads"] is True
        assert postgresql_server.execute(
            "select version_num > '' from alembic_version", database
        ) == [(True,)]
        done = container.exec_run(["leoflow", "dags", "--server", f"http://127.0.0.1:{port}"])
        assert done.exit_code == 0, done.output
    finally:
        container.remove(force=True)


@pytest.mark.engine
def test_an_agent_is_copied_out_of_its_image_without_privileges(
    engine: docker.DockerClient, tag: str, home: Path, tmp_path: Path
):
    made = leoflow(home, "agent-image", "--tag", tag)
    agents = made["layers"][-1]
    assert agents["name"] == "agents"
    assert agents["size_bytes"] < AGENTS_LIMIT_BYTES
    # As a volume of a Pod is: it may be written to, and belongs to somebody else.
    tmp_path.chmod(0o777)
    mount = {str(tmp_path): {"bind": "/volume", "mode": "rw"}}
    engine.containers.run(tag, ["3.11", "/volume"], volumes=mount, remove=True, **RESTRICTED)
    assert (tmp_path / "leoflow_agent" / "__main__.pyc").is_file()


def test_an_image_of_leoflow_s_own_has_its_bill_of_materials_beside_it(home: Path, tmp_path: Path):
    archive = tmp_path / "agents.tar"
    made = leoflow(home, "agent-image", "--bare", "--output", archive)
    bill = leoflow(home, "inspect", archive, "--sbom")
    assert bill["metadata"]["component"]["name"] == "leoflow-agent"
    assert made["image"].endswith(f":{bill['components'][0]['version']}")
