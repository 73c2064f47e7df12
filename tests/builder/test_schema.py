"""The published JSON Schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from leoflow_builder.schema import render, schemas, write_schemas

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
DOCUMENTS = [
    ("dag.schema.json", GOLDEN / "python" / "dag.json"),
    ("dag.schema.json", GOLDEN / "yaml" / "dag.json"),
    ("built-dag.schema.json", GOLDEN / "built-dag.json"),
    ("dag-yaml.schema.json", GOLDEN / "yaml" / "dag.yaml"),
    ("leoflow-yaml.schema.json", GOLDEN / "python" / "leoflow.yaml"),
]


def validate(schema: str, document: Any) -> None:
    jsonschema.Draft202012Validator(schemas()[schema]).validate(document)


@pytest.mark.parametrize("name", schemas())
def test_the_published_schema_is_current(name: str) -> None:
    published = (ROOT / "docs" / "schema" / name).read_text(encoding="utf-8")
    assert published == render(schemas()[name]), "run: python -m leoflow_builder.schema"


@pytest.mark.parametrize("name", schemas())
def test_a_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize(("schema", "path"), DOCUMENTS)
def test_golden_documents_are_valid(schema: str, path: Path) -> None:
    validate(schema, yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ("leoflow-yaml.schema.json", {"dependancies": []}),
        ("leoflow-yaml.schema.json", {"python_version": 3.1}),
        ("leoflow-yaml.schema.json", {"environment": {"A": True}}),
        ("leoflow-yaml.schema.json", {"defaults": {"trigger_rule": "all_ok"}}),
        ("leoflow-yaml.schema.json", {"dag_id": "a b"}),
        ("dag-yaml.schema.json", {"tasks": {"a": {"bsh": "ls"}}}),
        ("dag-yaml.schema.json", {}),
        ("dag.schema.json", {"dag_id": "a"}),
    ],
)
def test_what_leoflow_refuses_the_schema_refuses_too(schema: str, document: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(schema, document)


def test_the_schemas_are_written_to_a_folder(tmp_path: Path) -> None:
    written = write_schemas(tmp_path / "schema")
    assert [path.name for path in written] == list(schemas())
    assert all(json.loads(path.read_text(encoding="utf-8")) for path in written)
