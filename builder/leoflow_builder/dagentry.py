"""What may be said of a DAG itself, whichever way it is written. A model, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from leoflow_builder.option import Strict
from leoflow_builder.settings import Identifier


class DagEntry(Strict):
    """What may be said of the DAG itself, in dag.yaml or with @dag."""

    dag_id: Identifier | None = None
    description: str = ""
    tags: list[str] = Field(default_factory=list)
    params: Mapping[str, Any] | None = None
