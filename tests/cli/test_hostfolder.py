"""Which code a server runs that runs subprocesses: a folder for each DAG."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from leoflow_builder.host import this_host
from leoflow_cli import hostfolder
from leoflow_cli.hostfolder import HostFolders
from leoflow_controlplane.error import LaunchFailed

PYTHON = ".".join(this_host().python_version.split(".")[:2])
YAML = f'python_version: "{PYTHON}"\n'
DAG = """
from leoflow import dag, task

@task
def hello():
    return "hello"

@dag
def mine():
    hello()

mine()
"""


class Prepared:
    """Stands for what prepares dependencies, and counts."""

    has_pth = False
    site_path = (Path("/site"),)

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: object) -> Prepared:
        self.count += 1
        return self


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> Prepared:
    found = Prepared()
    monkeypatch.setattr(hostfolder, "prepare_host", found)
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "projects" / "mine"
    folder.mkdir(parents=True)
    (folder / "leoflow.yaml").write_text(YAML)
    (folder / "dag.py").write_text(DAG)
    return folder.parent


def open_folders(place: Path) -> HostFolders:
    return HostFolders(place, place.parent / "home", lambda _: None)


def test_the_agent_is_started_in_the_folder_of_the_dag(place: Path, prepared: Prepared) -> None:
    found = open_folders(place).find("mine")
    assert found.folder == place / "mine"
    assert found.command[1:3] == ("-I", "-S")
    assert found.environment == {
        "LEOFLOW_DAG_FOLDER": str(place / "mine"),
        "LEOFLOW_SITE_FOLDER": "/site",
    }


def test_a_project_is_prepared_again_when_it_asks_for_something_else(
    place: Path, prepared: Prepared
) -> None:
    folders = open_folders(place)
    assert folders.find("mine") is folders.find("mine")
    assert prepared.count == 1
    os.utime(place / "mine" / "leoflow.yaml", (1, 1))
    folders.find("mine")
    assert prepared.count == 2


def test_a_dag_without_a_folder_is_refused_with_what_to_do(place: Path) -> None:
    folders = open_folders(place)
    assert folders.refusal("mine") is None
    reason = folders.refusal("other") or ""
    assert f"'{place / 'other'}' is no folder" in reason
    assert "LEOFLOW_SUBPROCESS_PROJECTS" in reason
    with pytest.raises(LaunchFailed, match="no folder"):
        folders.find("other")


@pytest.mark.parametrize("dag_id", ["..", "../mine", "mine/../mine", "."])
def test_only_what_lies_in_the_folder_is_run(place: Path, dag_id: str) -> None:
    assert "is no folder" in (open_folders(place).refusal(dag_id) or "")


def test_a_project_that_cannot_be_prepared_fails_its_tries(place: Path) -> None:
    (place / "mine" / "leoflow.yaml").write_text("python_version: 3.11\n")
    with pytest.raises(LaunchFailed, match=r"'.*mine' cannot be run: ") as caught:
        open_folders(place).find("mine")
    assert not caught.value.transient
