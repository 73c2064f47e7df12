"""Where `leoflow run` has a DAG run when nobody says where."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from leoflow_builder.failure import EngineError
from leoflow_cli.running import choose_executor
from leoflow_cli.screen import Screen
from leoflow_controlplane.executor.docker import engine
from leoflow_controlplane.executor.docker.fault import NoEngine


def no_engine(environment: Mapping[str, str]) -> engine.Engine:
    raise NoEngine(environment["DOCKER_HOST"], "Connection refused")


def test_without_an_engine_it_is_this_machine_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "open_engine", no_engine)
    monkeypatch.setenv("DOCKER_HOST", "unix:///none.sock")
    assert choose_executor(Screen()) == "subprocess"
    assert capsys.readouterr().err.startswith(
        "no container engine answers at 'unix:///none.sock' (Connection refused), so the tasks run "
    )


def test_an_engine_that_this_user_may_not_reach_need_not_be_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(_: Mapping[str, str]) -> engine.Engine:
        raise NoEngine("unix:///x.sock", "Permission denied")

    monkeypatch.setattr(engine, "open_engine", denied)
    assert choose_executor(Screen()) == "subprocess"
    told = capsys.readouterr().err
    assert "let this user reach the socket, for example by the group 'docker'" in told
    assert "install" not in told


def test_the_engine_of_the_docker_context_is_asked(
    docker_context: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "open_engine", no_engine)
    assert choose_executor(Screen()) == "subprocess"
    assert f"no container engine answers at '{docker_context}' (" in capsys.readouterr().err


def test_a_context_that_is_none_is_no_lack_of_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    with pytest.raises(EngineError, match="there is no docker context 'gone'"):
        choose_executor(Screen())
