"""What a project is refused for before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.prepare import find_footing
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import load_project


def test_a_python_without_a_base_image_is_the_project_s_problem(tmp_path: Path) -> None:
    (tmp_path / "dag.py").touch()
    (tmp_path / "leoflow.yaml").write_text("python_version: '3.9'\n")
    with pytest.raises(ProjectError) as caught:
        find_footing(load_project(tmp_path), tmp_path / "home", lambda _: None)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("leoflow.yaml", 1)
    assert "no base image for Python '3.9'. Write one of '3.11'" in problem.message
    assert not (tmp_path / "home").exists()
