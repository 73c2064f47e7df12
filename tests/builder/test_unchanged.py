"""A build without a change is known as one, and any change is noticed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from leoflow_builder.unchanged import Outcome, Watch, fingerprint, recall, remember
from leoflow_builder.wish import BuildWish

WISH = BuildWish()
DOCUMENT = {
    "image": "leoflow/x:1",
    "built": False,
    "layers": [{"name": "dag", "reused": True}],
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "dag.py").write_text("x = 1\n")
    (folder / "sub" / "data.csv").write_text("1,2\n")
    (folder / "big.bin").write_text("ignored")
    (folder / "cache").mkdir()
    (folder / "cache" / "module.py").write_text("y = 1\n")
    (folder / "link").symlink_to("dag.py")
    return folder


# What the build itself had told, which made a layer.
TOLD = {**DOCUMENT, "built": True, "layers": [{"name": "dag", "reused": False}]}
IGNORED = ("big.bin", "cache/")


def write(name: str, text: str = "new") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(text)

    return change


def relink(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("sub")


def later(folder: Path) -> None:
    os.utime(folder / "cache" / "module.py", (1, 1))


@pytest.mark.parametrize(
    "change",
    [
        write("dag.py"),
        write("sub/data.csv"),
        write("sub/new.txt"),
        write("dag.json"),
        write("leoflow.yaml"),
        relink,
        later,
        lambda folder: (folder / "dag.py").chmod(0o755),
        lambda folder: (folder / "sub" / "data.csv").unlink(),
        lambda folder: (folder / "dag.py").rename(folder / "sub" / "dag.py"),
    ],
)
def test_what_counts_is_noticed(project: Path, change: Callable[[Path], None]) -> None:
    before = fingerprint(project, IGNORED, {})
    change(project)
    assert fingerprint(project, IGNORED, {}) != before


@pytest.mark.parametrize(
    "change",
    [
        write("big.bin"),
        write("cache/other.txt"),
        lambda folder: os.utime(folder / "dag.py", (1, 1)),
        lambda folder: (folder / "empty").mkdir(),
        lambda folder: (folder / ".git").mkdir(),
        lambda folder: (folder / "__pycache__").mkdir(),
    ],
)
def test_what_does_not_count_is_not(project: Path, change: Callable[[Path], None]) -> None:
    before = fingerprint(project, IGNORED, {})
    change(project)
    assert fingerprint(project, IGNORED, {}) == before


def test_leoflow_s_own_settings_count_and_others_do_not(project: Path) -> None:
    prints = [
        fingerprint(project, (), environment)
        for environment in (
            {},
            {"LEOFLOW_HOME": "/x", "PATH": "/y"},
            {"LEOFLOW_INLINE_HTTP_MAX_DURATION": "5"},
            {"SOURCE_DATE_EPOCH": "5"},
        )
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def build_into(project: Path, home: Path, output: Path) -> BuildWish:
    """Remember a build whose output is a layout that holds an image of nothing."""
    output.mkdir()
    wish = BuildWish(output=output)
    remember(project, home, wish, {}, Outcome(IGNORED, "docker.io/x:1", "sha256:1", TOLD))
    return wish


def test_it_is_recalled_only_while_the_image_is_there(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = build_into(project, tmp_path / "home", tmp_path / "out")
    assert recall(project, tmp_path / "home", wish, {}) is None
    monkeypatch.setattr("leoflow_builder.unchanged.folder_has", lambda *_: True)
    assert recall(project, tmp_path / "home", wish, {}) == DOCUMENT
    assert recall(project, tmp_path / "other-home", wish, {}) is None
    assert recall(project, tmp_path / "home", BuildWish(tag="x", output=wish.output), {}) is None
    (project / "dag.py").write_text("x = 2\n")
    assert recall(project, tmp_path / "home", wish, {}) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"form": 0}'])
def test_a_record_that_cannot_be_read_counts_as_none(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("leoflow_builder.unchanged.folder_has", lambda *_: True)
    wish = build_into(project, tmp_path / "home", tmp_path / "out")
    (record,) = (tmp_path / "home" / "cache" / "unchanged").iterdir()
    record.write_text(text)
    assert recall(project, tmp_path / "home", wish, {}) is None


def test_a_watch_notices_what_others_write_meanwhile(project: Path) -> None:
    time.sleep(0.05)
    watch = Watch(project)
    assert watch.is_undisturbed()
    (project / "dag.json").write_text("{}")
    assert watch.is_undisturbed()
    (project / "dag.py").write_text("x = 3\n")
    assert not watch.is_undisturbed()


def test_a_watch_notices_what_goes_away(project: Path) -> None:
    time.sleep(0.05)
    watch = Watch(project)
    (project / "sub" / "data.csv").unlink()
    assert not watch.is_undisturbed()


HEAVY = (
    "pydantic",
    "yaml",
    "rich",
    "httpx",
    "docker",
    "python_on_whales",
    "packaging",
    "zstandard",
)


def test_an_unchanged_build_imports_no_library_but_click() -> None:
    code = "import sys, leoflow_cli.main, leoflow_cli.build_command; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {*HEAVY, "http.client", "ssl", "email", "asyncio", "importlib.metadata"}
    assert not {name for name in loaded if name.startswith("leoflow_controlplane")}
