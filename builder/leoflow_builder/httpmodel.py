"""What the fields of an http_api task may be. Models, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from leoflow_agent.spec import HttpAction
from pydantic import AfterValidator, Field, WithJsonSchema

from leoflow_builder.option import Strict

URL_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "object", "required": ["xcom"]}]}


def _check_url(url: Any) -> str:
    if not isinstance(url, str):
        raise ValueError("has to be text or the result of a task")
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"'{url}' has to begin with http:// or https://")
    return url


class PlainField(Strict):
    """The fields that have to be known before the run; ``url`` may also be a result."""

    url: Annotated[Any, AfterValidator(_check_url), WithJsonSchema(URL_SCHEMA)]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] = "GET"
    timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    success_codes: Annotated[list[Annotated[int, Field(ge=100, le=599)]], Field(min_length=1)] = (
        Field(default_factory=lambda: list(HttpAction.success_codes))
    )
    execution_mode: Literal["inline", "pod"] = "inline"


class HttpField(PlainField):
    """All fields; headers, query and body may hold results of other tasks."""

    headers: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    body: Any = None
