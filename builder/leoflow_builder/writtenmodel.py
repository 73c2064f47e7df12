"""The models behind ``written``: which one checks which kind of words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from leoflow_builder.complaint import complain
from leoflow_builder.dagentry import DagEntry
from leoflow_builder.httpmodel import HttpField, PlainField
from leoflow_builder.option import TaskOption
from leoflow_builder.written import Kind, Refused

# The model that checks, and the one whose keys are proposed.
_MODELS: Mapping[Kind, tuple[type[BaseModel], type[BaseModel]]] = {
    "task": (TaskOption, TaskOption),
    "dag": (DagEntry, DagEntry),
    "http": (PlainField, HttpField),
}


def validate(kind: Kind, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the plain document of what was written; Refused with every mistake in it."""
    model, proposed = _MODELS[kind]
    try:
        return plain(model.model_validate(values))
    except ValidationError as error:
        raise Refused(complain(error, proposed)) from None


def plain(checked: BaseModel) -> dict[str, Any]:
    """Return the values of a model as JSON has them, without what was not said."""
    return checked.model_dump(mode="json", exclude_unset=True)
