"""Where `leoflow run` has a DAG run when nobody says where."""

from __future__ import annotations

import pytest
from leoflow_cli.running import choose_executor
from leoflow_cli.screen import Screen
from leoflow_controlplane.executor.docker import engine
from leoflow_controlplane.executor.docker.fault import NoEngine


def test_without_an_engine_it_is_this_machine_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_engine() -> engine.Engine:
        raise NoEngine("unix:///none.sock", "Connection refused")

    monkeypatch.setattr(engine, "open_engine", no_engine)
    assert choose_executor(Screen()) == "subprocess"
    assert capsys.readouterr().err.startswith(
        "no container engine answers at 'unix:///none.sock' (Connection refused), so the tasks run "
    )
