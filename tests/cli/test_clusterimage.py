"""How the image of a run gets to a cluster, and what is said before anything is built."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from leoflow_builder.wish import BuildWish
from leoflow_cli import build_command
from leoflow_cli.clusterimage import build_for_cluster
from leoflow_cli.main import cli
from leoflow_cli.outcome import InvalidInput, Unusable
from leoflow_cli.screen import Screen
from leoflow_controlplane.error import SettingInvalid

DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def wishes(monkeypatch: pytest.MonkeyPatch) -> list[BuildWish]:
    """Plays the builder, and keeps what it was asked for."""
    asked: list[BuildWish] = []

    def build(folder: Path, wish: BuildWish, screen: Screen) -> Any:
        asked.append(wish)
        if wish.output is not None:
            wish.output.write_bytes(b"archive")
        image = SimpleNamespace(reference=wish.tag or "leoflow/d:1", digest=DIGEST)
        return SimpleNamespace(spec="spec", image=image)

    monkeypatch.setattr(build_command, "build", build)
    monkeypatch.delenv("LEOFLOW_IMAGE_LOADER", raising=False)
    return asked


def loader(folder: Path, text: str) -> str:
    script = folder / "load"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return f"{script} --into 'my node'"


def test_an_image_that_is_pushed_is_named_by_its_digest(wishes: list[BuildWish]) -> None:
    wish = BuildWish(tag="registry.example/d:1", push=True)
    _, image = build_for_cluster(Path(), wish, Screen())
    assert image == f"registry.example/d@{DIGEST}"
    assert wishes == [wish]


def test_an_image_is_loaded_by_the_command_that_is_given(
    wishes: list[BuildWish], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    command = loader(tmp_path, f'echo "$2 $4" > {told}; cat "$3" >> {told}')
    monkeypatch.setenv("LEOFLOW_IMAGE_LOADER", command)
    _, image = build_for_cluster(Path(), BuildWish(), Screen())
    assert image == "leoflow/d:1"
    assert told.read_text() == "my node leoflow/d:1\narchive"


@pytest.mark.parametrize(
    ("text", "says"),
    [("echo no room >&2; exit 3", "exit code 3. no room"), (None, "cannot be run")],
)
def test_a_command_that_fails_is_told_with_its_words(
    wishes: list[BuildWish],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
    says: str,
) -> None:
    command = "/no/such/program" if text is None else loader(tmp_path, text)
    monkeypatch.setenv("LEOFLOW_IMAGE_LOADER", command)
    with pytest.raises(Unusable, match=says):
        build_for_cluster(Path(), BuildWish(), Screen())


def test_without_a_way_to_the_cluster_nothing_is_built(wishes: list[BuildWish]) -> None:
    with pytest.raises(InvalidInput, match="--push --tag HOST/REPOSITORY:TAG"):
        build_for_cluster(Path(), BuildWish(), Screen())
    assert wishes == []


def test_a_run_on_a_cluster_needs_an_address_for_its_agents(
    wishes: list[BuildWish], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEOFLOW_AGENT_URL", raising=False)
    result = CliRunner().invoke(cli, ["run", "--executor", "kubernetes", os.curdir])
    assert isinstance(result.exception, SettingInvalid)
    assert "LEOFLOW_AGENT_URL" in str(result.exception)
    assert wishes == []


def test_subprocesses_have_no_image_to_push() -> None:
    result = CliRunner().invoke(cli, ["run", "--executor", "subprocess", "--push", os.curdir])
    assert isinstance(result.exception, InvalidInput)
