"""Where in a project something is imported."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.importsource import ProjectCode, find_import_line


@pytest.mark.parametrize(
    ("source", "package", "imported", "line"),
    [
        ("import os\nimport pandas", "", "pandas", 2),
        ("import pandas.io.sql", "", "pandas", 1),
        ("from pandas.io import sql", "", "pandas", 1),
        ("from pandas.io import sql", "", "pandas.io.sql", 1),
        ("import pandas", "", "pandas.core", 1),
        ("import pandas\nfrom pandas import core", "", "pandas.core", 2),
        ("import pandasql\nimport pandas", "", "pandas", 2),
        ("try:\n    import ujson as json\nexcept ImportError:\n    import json", "", "json", 4),
        ("from . import slow", "steps", "steps.slow", 1),
        ("from .slow import wait", "steps", "steps.slow", 1),
        ("from ..slow import wait", "steps.deep", "steps.slow", 1),
        ("from .. import slow", "steps.deep", "steps.slow", 1),
        ("import os", "", "pandas", None),
        ("import importlib\nimportlib.import_module('pandas')", "", "pandas", None),
        ("not python", "", "pandas", None),
    ],
)
def test_the_first_statement_that_imports_it_is_found(source, package, imported, line) -> None:
    assert find_import_line(source, package, imported) == line


@pytest.fixture
def code(tmp_path: Path) -> ProjectCode:
    (tmp_path / "dag.py").write_text("\nimport steps.slow\n")
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "__init__.py").write_text("from . import slow\n")
    (tmp_path / "steps" / "slow.py").write_text("import time\n")
    return ProjectCode(tmp_path)


def test_modules_and_packages_of_the_project_have_a_file(code: ProjectCode) -> None:
    assert code.file_of("dag") == "dag.py"
    assert code.file_of("steps") == "steps/__init__.py"
    assert code.file_of("steps.slow") == "steps/slow.py"
    assert code.file_of("pandas") is None
    assert code.file_of("..") is None


def test_a_place_is_a_file_and_a_line(code: ProjectCode) -> None:
    assert code.place_of("dag", "steps") == "dag.py:2"
    assert code.place_of("steps", "steps.slow") == "steps/__init__.py:1"
    assert code.place_of("dag", "pandas") == "dag.py"
    assert code.place_of("pandas", "numpy") is None
