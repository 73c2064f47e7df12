"""`leoflow server` as a whole: it starts, answers on its one port, and ends as it is told to."""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from leoflow_controlplane.error import Conflict, LaunchFailed, SettingInvalid
from leoflow_controlplane.executor.hostproject import HostProject
from leoflow_controlplane.server.check import check
from leoflow_controlplane.server.place import agents_address, executor_factory, warn_of_address
from leoflow_controlplane.server.serving import Server
from leoflow_controlplane.serversetting import ServerSettings, read_server_settings

# What runs as subprocesses says so each time.
pytestmark = pytest.mark.filterwarnings("ignore:tasks run as plain subprocesses:RuntimeWarning")

SECRET = "hush-hush"


class NoProjects:
    """Has no code for any DAG."""

    def find(self, dag_id: str) -> HostProject:
        raise LaunchFailed("there is none", transient=False)

    def refusal(self, dag_id: str) -> str | None:
        return f"there is no project for '{dag_id}'"


def settings_of(home: Path, **flags: Any) -> ServerSettings:
    given = {"port": 0, "executor": "subprocess", "subprocess_projects": str(home), **flags}
    return read_server_settings(home, given, {})


@asynccontextmanager
async def running(
    settings: ServerSettings, *, new_admin_token: bool = False
) -> AsyncIterator[tuple[Server, list[str]]]:
    """Run a server in this loop, and give what it says."""
    said: list[str] = []
    server = Server(settings, said.append, projects=NoProjects())
    server.new_admin_token = new_admin_token
    task = asyncio.create_task(server.run())
    started = asyncio.create_task(server.started.wait())
    await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED, timeout=120)
    started.cancel()
    if task.done():
        task.result()
    try:
        yield server, said
    finally:
        server.stop()
        await asyncio.wait_for(task, 120)


async def admin_of(server: Server, home: Path) -> str:
    """Wait for the first token: its file is there before it counts."""
    async with asyncio.timeout(120), httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        while not (home / "admin.token").exists():
            await asyncio.sleep(0.01)
        token = (home / "admin.token").read_text().strip()
        while await asked_with(token, client) == 401:
            await asyncio.sleep(0.01)
    return token


async def asked_with(token: str, client: httpx.AsyncClient) -> int:
    """Give the status of the answer to whoever has this token."""
    headers = {"Authorization": f"Bearer {token}"}
    return (await client.get("/api/v2/dags", headers=headers)).status_code


async def test_it_answers_everybody_on_one_port(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as (server, said):
        token = await admin_of(server, tmp_path)
        assert (tmp_path / "admin.token").stat().st_mode & 0o777 == 0o600
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/health")).json()["status"] == "healthy"
            assert "leoflow_info" in (await client.get("/metrics")).text
            assert (await client.get("/api/v2/dags")).status_code == 401
            headers = {"Authorization": f"Bearer {token}"}
            assert (await client.get("/api/v2/dags", headers=headers)).json()["dags"] == []
            agent = await client.post("/agent/v1/events", content=b"{}")
            assert (agent.status_code, "leoflow-protocol" in agent.headers) == (401, True)
    assert any(str(tmp_path / "admin.token") in line for line in said)
    assert not any(token in line for line in said)


async def test_the_token_outlives_the_server_and_can_be_made_anew(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as (server, _):
        first = await admin_of(server, tmp_path)
    (tmp_path / "admin.token").unlink()
    async with running(settings_of(tmp_path)) as (server, _):
        async with httpx.AsyncClient(base_url=server.url) as client:
            headers = {"Authorization": f"Bearer {first}"}
            assert (await client.get("/api/v2/dags", headers=headers)).status_code == 200
        assert not (tmp_path / "admin.token").exists()
    async with running(settings_of(tmp_path), new_admin_token=True) as (server, _):
        second = await admin_of(server, tmp_path)
        async with httpx.AsyncClient(base_url=server.url) as client:
            for token, status in ((first, 401), (second, 200)):
                headers = {"Authorization": f"Bearer {token}"}
                answer = await client.get("/api/v2/dags", headers=headers)
                assert answer.status_code == status


async def test_a_token_of_an_admin_that_is_given_counts_until_another_one_is(tmp_path: Path):
    tokens = ["a" * 32, "b" * 32]
    for given, other in (tokens, reversed(tokens)):
        settings = settings_of(tmp_path, admin_token=given)
        async with (
            running(settings) as (server, _),
            httpx.AsyncClient(base_url=server.url) as client,
        ):
            async with asyncio.timeout(120):
                while await asked_with(given, client) == 401:
                    await asyncio.sleep(0.01)
            assert await asked_with(given, client) == 200
            assert await asked_with(other, client) == 401
        assert not (tmp_path / "admin.token").exists()


def test_a_token_that_could_be_guessed_is_refused(tmp_path: Path):
    with pytest.raises(SettingInvalid, match="shorter than 32"):
        settings_of(tmp_path, admin_token="secret")


async def test_a_signal_ends_it(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as (server, said):
        server.take_signal(signal.SIGTERM)
    assert any("stopping" in line for line in said)


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingInvalid, match=f"port {port} of 127.0.0.1 is taken"):
            async with running(settings_of(tmp_path, port=port)):
                pass
        findings = {f.what: f.problem for f in check(settings_of(tmp_path, port=port)).findings}
        assert "is taken" in str(findings["port"])
        assert findings["database"] is None


async def test_two_servers_do_not_share_a_file(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as (server, _):
        await admin_of(server, tmp_path)
        with pytest.raises(Conflict, match="a server"):
            async with running(settings_of(tmp_path)) as _:
                await asyncio.sleep(5)


async def test_plain_http_for_others_is_warned_of(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, host="0.0.0.0")) as (_, said):
        assert any("not encrypted" in line for line in said)


async def test_a_head_that_is_too_long_is_refused(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as (server, _):
        port = int(server.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        for _ in range(3):
            writer.write(b"x" * 40_000)
            await writer.drain()
        async with asyncio.timeout(60):
            assert b"431" in await reader.readline()
        writer.close()


async def test_reports_of_strangers_are_refused_on_a_connection_that_others_may_go_on_with(
    tmp_path: Path,
) -> None:
    report = (
        b"POST /agent/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer nobody\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
    async with running(settings_of(tmp_path)) as (server, _):
        await admin_of(server, tmp_path)
        port = int(server.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(60):
            for _ in range(2):
                writer.write(report)
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
                assert b"\r\nleoflow-protocol: 1\r\n" in head
                assert await reader.readexactly(len("unknown token")) == b"unknown token"
            writer.write(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_only_the_hosts_that_are_allowed_are_answered(tmp_path: Path) -> None:
    async with (
        running(settings_of(tmp_path, allowed_hosts="leoflow.example")) as (server, _),
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        await admin_of(server, tmp_path)
        assert (await client.get("/openapi.json")).status_code == 400
        assert (await client.get("/health")).status_code == 200
        named = {"Host": "leoflow.example:8080"}
        assert (await client.get("/openapi.json", headers=named)).status_code == 200


def test_a_check_shows_no_secret(tmp_path: Path) -> None:
    url = f"postgresql://me:{SECRET}@127.0.0.1:1/leoflow"
    found = check(settings_of(tmp_path, database_url=url, secret_key=SECRET))
    assert not found.ok
    assert SECRET not in str(found)
    shown = {one.name: (one.value, one.source) for one in found.settings}
    assert shown["database_url"] == ("***", "flag --db")
    assert list(tmp_path.iterdir()) == []


async def test_a_server_on_another_port_says_how_commands_find_it(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as (server, said):
        assert said[:2] == [
            f"leoflow server at {server.url}",
            f"commands find it with:  export LEOFLOW_SERVER={server.url}",
        ]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (None, "file is not a database. Put a backup"),
        ("PRAGMA user_version = 9", "was written by a newer version of leoflow"),
        ("PRAGMA user_version = 0", None),
    ],
)
def test_a_check_reads_the_database(
    tmp_path: Path, statement: str | None, problem: str | None
) -> None:
    file = tmp_path / "leoflow.db"
    if statement is None:
        file.write_bytes(b"no database" * 1000)
    else:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(statement)
            connection.commit()
    found = {one.what: one.problem for one in check(settings_of(tmp_path)).findings}
    assert (found["database"] is None) == (problem is None)
    assert problem is None or problem in str(found["database"])


def test_a_cluster_has_to_be_told_where_its_pods_report(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, executor="kubernetes", agent_url="http://without-a-port")
    with pytest.raises(SettingInvalid, match="it has to be of the form http://HOST:PORT"):
        executor_factory(settings, None)
    with pytest.raises(SettingInvalid, match="Set LEOFLOW_AGENT_URL"):
        executor_factory(settings_of(tmp_path, executor="kubernetes"), None)


def test_the_port_that_pods_come_to_may_speak_tls_and_has_to_be_called_so(tmp_path: Path) -> None:
    common = {"executor": "kubernetes", "tls_cert": "/c", "tls_key": "/k"}
    with pytest.raises(SettingInvalid, match=r"Write https://"):
        agents_address(settings_of(tmp_path, agent_url="http://h:1", **common))
    for given in (
        {"agent_url": "https://h:1"},
        {"agent_url": "http://h:1", "agent_listen": "127.0.0.1:2"},
    ):
        address = agents_address(settings_of(tmp_path, **common, **given))
        assert address is not None
        assert address.url == given["agent_url"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"executor": "kubernetes"}, "listens at 127.0.0.1 only"),
        ({"executor": "kubernetes", "host": "0.0.0.0"}, None),
        ({"executor": "kubernetes", "agent_listen": "192.0.2.1:1"}, None),
        ({"executor": "kubernetes", "agent_url": "http://localhost:1"}, "is the Pod itself"),
        ({"executor": "docker"}, None),
    ],
)
def test_a_server_that_pods_will_not_reach_says_so(
    tmp_path: Path, given: dict[str, str], says: str | None
) -> None:
    settings = settings_of(tmp_path, **{"agent_url": "http://192.0.2.1:1", **given})
    warning = warn_of_address(settings)
    assert warning is None if says is None else says in (warning or "")


def test_a_check_names_what_is_missing_of_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    found = check(settings_of(tmp_path, executor="kubernetes", agent_url="http://h:1"))
    (executor,) = (one for one in found.findings if one.what == "executor")
    assert "there is no kubeconfig at" in (executor.problem or "")
    assert not found.ok
