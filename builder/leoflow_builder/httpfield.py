"""The fields of an http_api task, from whichever file: which may be XComs, which may not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from leoflow_agent.spec import Argument, DictOf, HttpAction, Value, XCom
from pydantic import AfterValidator, Field, ValidationError, WithJsonSchema

from leoflow_builder.complaint import Complaint, complain
from leoflow_builder.option import Strict

URL_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "object", "required": ["xcom"]}]}


def _check_url(url: Any) -> str | XCom:
    if isinstance(url, XCom):
        return url
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


def make_http(fields: Mapping[str, Argument]) -> tuple[HttpAction | None, list[Complaint]]:
    """Return the action that ``fields`` describe, and what is wrong with them."""
    plain: dict[str, Any] = {}
    complaints: list[Complaint] = []
    for name, argument in fields.items():
        if name in ("headers", "query", "body"):
            continue
        if isinstance(argument, Value):
            plain[name] = argument.value
        elif name == "url" and isinstance(argument, XCom):
            plain[name] = argument
        else:
            text = f"{name} has to be known before the run; results go into url, headers, query "
            text += "or body"
            complaints.append(Complaint((name,), text))
    headers = _mapping("headers", fields.get("headers"), complaints)
    query = _mapping("query", fields.get("query"), complaints)
    try:
        checked = PlainField.model_validate(plain)
    except ValidationError as error:
        found = complain(error, HttpField)
        known = {complaint.path for complaint in complaints}
        return None, complaints + [item for item in found if not _is_repeated(item, known)]
    return _action(checked, headers, query, fields.get("body")), complaints


def _is_repeated(complaint: Complaint, known: set[tuple[str | int, ...]]) -> bool:
    return any(path[0] in complaint.message for path in known if isinstance(path[0], str))


def _action(
    plain: PlainField,
    headers: Mapping[str, Argument],
    query: Mapping[str, Argument],
    body: Argument | None,
) -> HttpAction:
    return HttpAction(
        url=plain.url,
        method=plain.method,
        headers=headers,
        query=query,
        body=None if body == Value(None) else body,
        timeout_seconds=plain.timeout_seconds,
        success_codes=tuple(plain.success_codes),
        execution_mode=plain.execution_mode,
    )


def _mapping(
    name: str, argument: Argument | None, complaints: list[Complaint]
) -> Mapping[str, Argument]:
    if argument is None or argument == Value(None):
        return {}
    if isinstance(argument, DictOf):
        return argument.items
    if isinstance(argument, Value) and isinstance(argument.value, dict):
        return {key: Value(item) for key, item in argument.value.items()}
    text = f"{name} has to be a mapping of names to values, whose values may be results"
    complaints.append(Complaint((name,), text))
    return {}
