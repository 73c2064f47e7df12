"""A control plane that commands may ask, and the calling of commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
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
def docker_context(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The address of a docker context that is in use, where no engine is."""
    folder, host = tmp_path / "docker", f"unix://{tmp_path}/none.sock"
    place = folder / "contexts" / "meta" / sha256(b"elsewhere").hexdigest()
    place.mkdir(parents=True)
    (place / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host}}}))
    (folder / "config.json").write_text(json.dumps({"currentContext": "elsewhere"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return host


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
