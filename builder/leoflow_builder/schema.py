"""The published JSON Schemas. ``python -m leoflow_builder.schema FOLDER`` writes them anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leoflow_builder.dagjson import built_dag_adapter, dag_adapter
from leoflow_builder.dagyaml import DagFile
from leoflow_builder.settings import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> Mapping[str, dict[str, Any]]:
    """Return each published schema by its file name."""
    beside = built_dag_adapter().json_schema()
    return {
        "dag.schema.json": _titled(dag_adapter().json_schema(), "dag.json inside of an image"),
        "built-dag.schema.json": _titled(beside, "dag.json beside a project"),
        "dag-yaml.schema.json": _titled(DagFile.model_json_schema(), "dag.yaml"),
        "leoflow-yaml.schema.json": _titled(Settings.model_json_schema(), "leoflow.yaml"),
    }


def _titled(schema: dict[str, Any], title: str) -> dict[str, Any]:
    return {**schema, "$schema": _DIALECT, "title": title}


def render(schema: Mapping[str, Any]) -> str:
    """Return the text of a schema's file."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema to ``folder`` and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas().items():
        path = folder / name
        path.write_text(render(schema), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/schema"))
