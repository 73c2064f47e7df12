"""DagSpec and BuiltDag to and from JSON. One value has one text: sorted keys, no free choice."""

from __future__ import annotations

import json

from leoflow_agent.spec import BuiltDag, DagSpec
from pydantic import TypeAdapter

DAG: TypeAdapter[DagSpec] = TypeAdapter(DagSpec)
BUILT_DAG: TypeAdapter[BuiltDag] = TypeAdapter(BuiltDag)


def dump_dag(spec: DagSpec) -> bytes:
    """Return the dag.json that lies inside of an image."""
    return _dump(DAG.dump_python(spec, mode="json"))


def dump_built(built: BuiltDag) -> bytes:
    """Return the dag.json that lies beside a project."""
    return _dump(BUILT_DAG.dump_python(built, mode="json"))


def parse_dag(document: bytes) -> DagSpec:
    """Return the DagSpec in ``document``; pydantic's ValidationError if it holds none."""
    return DAG.validate_json(document)


def parse_built(document: bytes) -> BuiltDag:
    """Return the BuiltDag in ``document``; pydantic's ValidationError if it holds none."""
    return BUILT_DAG.validate_json(document)


def _dump(document: object) -> bytes:
    text = json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"
