"""The zoo: each folder of tests/broken has one kind of defect and the lines that must be said.

A folder with a file `stage` breaks later (lock, run), so it has to pass here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import load_project
from leoflow_builder.reading import read_dag

ZOO = Path(__file__).parents[1] / "broken"
FOLDERS = sorted(path for path in ZOO.iterdir() if path.is_dir())
EARLY = [folder for folder in FOLDERS if not (folder / "stage").exists()]
LATE = [folder for folder in FOLDERS if (folder / "stage").exists()]


def validate(folder: Path) -> None:
    limit = 2.0 if folder.name == "never-returns" else 30.0
    interpreter = HostInterpreter(Path(sys.executable))
    read_dag(load_project(folder), interpreter, timeout_seconds=limit)


@pytest.mark.parametrize("folder", EARLY, ids=lambda folder: folder.name)
def test_a_defect_is_told(folder: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        validate(folder)
    for line in (folder / "expect").read_text(encoding="utf-8").splitlines():
        assert line in str(caught.value)


@pytest.mark.parametrize("folder", LATE, ids=lambda folder: folder.name)
def test_a_defect_of_a_later_stage_is_none_yet(folder: Path) -> None:
    validate(folder)
    assert (folder / "stage").read_text().strip() in ("lock", "run")
