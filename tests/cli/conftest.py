"""A control plane that commands may ask, and the calling of commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from leoflow_cli.main import cli

sys.path.insert(0, str(Path(__file__).parent))

from contract import check
from fakeserver import TOKEN, FakeServer, Listener


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeServer]:
    fake = FakeServer()
    with Listener(fake) as listener:
        monkeypatch.setenv("LEOFLOW_SERVER", listener.url)
        monkeypatch.setenv("LEOFLOW_TOKEN", TOKEN)
        monkeypatch.setenv("LEOFLOW_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("TZ", "UTC")
        yield fake
    for request, status, said in fake.answered:
        check(request, status, said)


@pytest.fixture
def call() -> Callable[..., Result]:
    """Call a command; errors that it explains at its end are raised."""

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        runner = CliRunner()
        result = runner.invoke(cli, arguments, input=stdin)
        error = result.exception
        if error is not None and not isinstance(error, (SystemExit, click.ClickException)):
            raise error
        return result

    return invoke
