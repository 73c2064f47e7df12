"""What may stand under ``kubernetes`` of a task: a field of a model, checked by the rules that the
control plane has as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from leoflow_agent.podoption import PodOptions
from leoflow_agent.podrule import check_options
from pydantic import AfterValidator, GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError


def _check(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``said``, or raise every mistake in it, each with its place."""
    flaws = list(check_options(said))
    if flaws:
        raise ValidationError.from_exception_data(
            "kubernetes",
            [
                InitErrorDetails(
                    type=PydanticCustomError("value_error", "{error}", {"error": flaw.message}),
                    loc=flaw.path,
                    input=None,
                )
                for flaw in flaws
            ],
        )
    return said


class _PodSchema:
    """The schema of the options, made when it is asked for: it is for editors."""

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return TypeAdapter(PodOptions).json_schema()


KubernetesOption = Annotated[Mapping[str, Any], AfterValidator(_check), _PodSchema()]
