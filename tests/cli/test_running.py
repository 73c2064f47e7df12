"""Where `leoflow run` has a DAG run when nobody says where."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_cli.running import choose_executor
from leoflow_cli.screen import Screen


def test_without_an_engine_it_is_this_machine_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = f"unix://{tmp_path}/none.sock"
    monkeypatch.setenv("DOCKER_HOST", host)
    assert choose_executor(Screen()) == "subprocess"
    assert capsys.readouterr().err.startswith(
        f"no container engine answers at '{host}' (No such file or directory), so the tasks run as"
    )
