"""dag.json: golden files, which only a new schema_version may change the meaning of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from leoflow_agent.spec import BuiltDag, DagSpec, ImageRef
from leoflow_builder.dagjson import dump_built, dump_dag, parse_built, parse_dag
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.project import load_project
from leoflow_builder.reading import read_dag
from pydantic import ValidationError

GOLDEN = Path(__file__).parents[1] / "golden"
IMAGE = ImageRef("leoflow/golden:1", "sha256:" + "0" * 64, "linux/amd64")


def read(name: str) -> DagSpec:
    return read_dag(load_project(GOLDEN / name), HostInterpreter(Path(sys.executable)))


@pytest.mark.parametrize("name", ["python", "yaml", "constructs", "kubernetes"])
def test_a_project_gives_the_golden_dag(name: str) -> None:
    assert dump_dag(read(name)) == (GOLDEN / name / "dag.json").read_bytes()


@pytest.mark.parametrize("name", ["python", "yaml", "constructs", "kubernetes"])
def test_a_dag_comes_back_from_its_json(name: str) -> None:
    document = (GOLDEN / name / "dag.json").read_bytes()
    assert dump_dag(parse_dag(document)) == document


def test_a_built_dag_comes_back_from_its_json() -> None:
    built = BuiltDag(read("yaml"), IMAGE)
    document = (GOLDEN / "built-dag.json").read_bytes()
    assert dump_built(built) == document
    assert parse_built(document).image == IMAGE
    assert dump_built(parse_built(document)) == document


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"schema_version": 1', b'"schema_version": 2'),
        (b'"tags"', b'"labels"'),
        (b'"all_done"', b'"all_ok"'),
        (b'"kind": "bash"', b'"kind": "zsh"'),
    ],
)
def test_a_document_of_another_form_is_refused(old: bytes, new: bytes) -> None:
    document = (GOLDEN / "yaml" / "dag.json").read_bytes()
    assert old in document
    with pytest.raises(ValidationError):
        parse_dag(document.replace(old, new))
