"""`leoflow server` hands its options to the control plane as settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from leoflow_cli.outcome import InvalidInput
from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.executor.docker import engine
from leoflow_controlplane.executor.docker.fault import NoEngine
from leoflow_controlplane.server import serving
from leoflow_controlplane.server.place import Projects
from leoflow_controlplane.serveroption import SERVER_OPTIONS
from leoflow_controlplane.serversetting import ServerSettings
from leoflow_controlplane.setting import OPTIONS


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[ServerSettings, bool]]:
    """What servers were started with, none of which is."""
    started: list[tuple[ServerSettings, bool]] = []

    def serve(
        settings: ServerSettings, say: object, *, new_admin_token: bool, projects: Projects | None
    ) -> None:
        assert (projects is not None) == (settings.executor == "subprocess")
        started.append((settings, new_admin_token))

    monkeypatch.setattr(serving, "serve", serve)
    monkeypatch.setenv("LEOFLOW_HOME", str(tmp_path))
    return started


def test_what_is_typed_wins_over_the_environment_and_that_over_the_file(
    call, served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "server.toml").write_text('port = 1\nmax_parallel_tasks = 2\nexecutor = "docker"\n')
    monkeypatch.setenv("LEOFLOW_MAX_PARALLEL_TASKS", "3")
    monkeypatch.setenv("LEOFLOW_EXECUTOR", "docker")
    subprocesses = ("--executor", "subprocess", "--subprocess-projects", str(tmp_path))
    call("server", *subprocesses, "--grace-seconds", "1m", "--docs-pages")
    ((settings, new_admin_token),) = served
    assert (settings.port, settings.limits.max_parallel_tasks) == (1, 3)
    assert (settings.executor, settings.limits.grace_seconds) == ("subprocess", 60)
    assert settings.docs_pages
    assert not new_admin_token


def test_the_clients_own_settings_are_no_mistakes(call, served, monkeypatch: pytest.MonkeyPatch):
    for name in ("SERVER", "TOKEN", "CA"):
        monkeypatch.setenv(f"LEOFLOW_{name}", "x")
    call("server")
    assert served


def test_every_setting_has_an_option(call):
    text = call("server", "--help").stdout
    assert [one.flag for one in (*SERVER_OPTIONS, *OPTIONS) if one.flag not in text] == []


def test_all_that_is_typed_wrong_is_said_at_once(call, served):
    with pytest.raises(SettingInvalid) as caught:
        call("server", "--port", "eighty", "--executor", "podman")
    assert "--port is 'eighty'" in str(caught.value)
    assert "--executor is 'podman'" in str(caught.value)
    assert not served


def test_a_check_says_where_each_setting_is_from_and_starts_nothing(call, served, tmp_path: Path):
    result = call(
        *("server", "--check", "--json", "--port", "0", "--executor", "subprocess"),
        *("--subprocess-projects", str(tmp_path)),
        *("--db", "postgresql://me:hidden@127.0.0.1:1/x"),
    )
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    rows = {row["name"]: row for row in document["settings"]}
    assert rows["port"]["source"] == "flag --port"
    assert rows["host"]["source"] == "default"
    assert "hidden" not in result.output
    problems = {one["what"]: one["problem"] for one in document["findings"]}
    assert problems["database"] is not None
    assert problems["home"] is None
    assert not served


def test_json_is_for_a_check(call, served):
    with pytest.raises(InvalidInput, match="--json goes with --check"):
        call("server", "--json")


def test_the_server_uses_the_engine_of_the_docker_context(call, served, docker_context: str):
    call("server")
    ((settings, _),) = served
    assert settings.engine == {"DOCKER_HOST": docker_context}


def test_a_check_looks_at_the_engine_of_the_docker_context(
    call, docker_context: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def no_engine(environment: Mapping[str, str]) -> engine.Engine:
        raise NoEngine(environment["DOCKER_HOST"], "Connection refused")

    monkeypatch.setattr(engine, "open_engine", no_engine)
    monkeypatch.setenv("LEOFLOW_HOME", str(tmp_path))
    result = call("server", "--check", "--port", "0")
    place, problem = result.stderr.split("executor  docker, ")[1].split(": no Docker engine")
    assert place == docker_context
    assert problem.startswith(f" answers at '{docker_context}': Connection refused")
    assert result.exit_code == 3


def test_where_tries_are_subprocesses_no_engine_is_looked_for(
    call, served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    call("server", "--executor", "subprocess", "--subprocess-projects", str(tmp_path))
    assert served
