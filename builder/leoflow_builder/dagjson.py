"""DagSpec and BuiltDag to and from JSON. One value has one text: sorted keys, no free choice.

Writing takes no more than the standard library; pydantic checks what is read, and is built then.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from leoflow_agent.spec import BuiltDag, DagSpec

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def dag_adapter() -> TypeAdapter[DagSpec]:
    """Return what validates a DagSpec."""
    from pydantic import TypeAdapter

    return TypeAdapter(DagSpec)


@cache
def built_dag_adapter() -> TypeAdapter[BuiltDag]:
    """Return what validates a BuiltDag."""
    from pydantic import TypeAdapter

    return TypeAdapter(BuiltDag)


def dump_dag(spec: DagSpec) -> bytes:
    """Return the dag.json that lies inside of an image."""
    return _dump(spec)


def dump_built(built: BuiltDag) -> bytes:
    """Return the dag.json that lies beside a project."""
    return _dump(built)


def parse_dag(document: bytes) -> DagSpec:
    """Return the DagSpec in ``document``; pydantic's ValidationError if it holds none."""
    return dag_adapter().validate_json(document)


def parse_built(document: bytes) -> BuiltDag:
    """Return the BuiltDag in ``document``; pydantic's ValidationError if it holds none."""
    return built_dag_adapter().validate_json(document)


def _dump(value: DagSpec | BuiltDag) -> bytes:
    text = json.dumps(
        value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False, default=_members
    )
    return text.encode() + b"\n"


def _members(value: object) -> dict[str, Any]:
    """Return the fields of a dataclass, which json then goes into."""
    if not is_dataclass(value):
        raise TypeError(f"{value!r} is no part of a DAG")
    return {field.name: getattr(value, field.name) for field in fields(value)}
