"""What is named when an image is over its budget."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.culprit import blame_import, blame_layer, blame_start
from leoflow_builder.importsource import ProjectCode
from leoflow_builder.importtime import Import
from leoflow_builder.layerreport import LayerReport
from leoflow_builder.packagesize import PackageSize


def took(name: str, self_ms: int, *children: Import) -> Import:
    total = self_ms * 1000 + sum(one.cumulative_us for one in children)
    return Import(name, self_ms * 1000, total, children)


@pytest.fixture
def code(tmp_path: Path) -> ProjectCode:
    (tmp_path / "dag.py").write_text("import os\nimport steps\nimport pandas\n")
    (tmp_path / "steps.py").write_text("import time\nimport numpy\n")
    return ProjectCode(tmp_path)


@pytest.mark.parametrize(
    ("dag", "said"),
    [
        (
            took("dag", 8, took("os", 20), took("pandas", 12, took("numpy", 200))),
            "pandas 212 of 240 ms, imported at dag.py:3",
        ),
        (
            took("dag", 1, took("steps", 2, took("numpy", 200))),
            "numpy 200 of 203 ms, imported at steps.py:2",
        ),
        (
            took("dag", 1, took("steps", 201)),
            "steps.py itself 201 of 202 ms, outside of functions, imported at dag.py:2",
        ),
        (took("dag", 240), "dag.py itself 240 of 240 ms, outside of functions"),
        (took("dag", 1, took("magic", 9)), "magic 9 of 10 ms, imported at dag.py"),
    ],
)
def test_the_slowest_chain_of_imports_ends_at_the_culprit(code, dag, said) -> None:
    assert blame_import([took("leoflow", 1), dag], "dag", code) == said


def test_an_import_by_a_pth_file_is_nobody_s_of_the_project(code: ProjectCode) -> None:
    said = blame_import([took("tracer", 300), took("dag", 5)], "dag", code)
    assert said == "tracer 300 ms, imported before 'dag' by what is installed"


def test_without_a_trace_there_is_no_culprit(code: ProjectCode) -> None:
    assert blame_import([], "dag", code) == "the interpreter told no import"


def test_of_a_start_the_larger_part_is_explained() -> None:
    said = blame_start(50, 400, "pandas 380 of 400 ms", None)
    assert said == ("50 ms until the agent imports, 400 ms to import (pandas 380 of 400 ms)")
    assert "pandas" not in blame_start(400, 50, "pandas", None)


def test_a_limit_of_the_processor_is_named_when_it_slows_the_start() -> None:
    assert blame_start(1, 2, "x", 250).endswith("limits.cpu of 250m stretches both")
    assert "limits.cpu" not in blame_start(1, 2, "x", 2000)


def test_the_largest_layer_is_named_with_its_packages() -> None:
    layers = [LayerReport("base", "", 15_000_000, True), LayerReport("deps", "", 33_400_000, True)]
    packages = [PackageSize(name, 10_000_000) for name in "abcd"]
    assert blame_layer(layers, packages) == (
        "the layer deps is the largest, 33.4 MB; in it, unpacked: a 10.0 MB, b 10.0 MB, c 10.0 MB"
    )
    assert blame_layer(layers[:1], packages) == "the layer base is the largest, 15.0 MB"
    assert blame_layer([LayerReport("base", None, None, True)], []).endswith("not known")
