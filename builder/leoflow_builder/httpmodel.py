"""What the fields of an http_api task may be. Models, and nothing else.

What two fields mean together is in ``httprule``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from leoflow_agent.action import HttpAction, HttpPagination, HttpPoll
from leoflow_agent.http.path import parse
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from leoflow_builder.option import Strict

ENVIRONMENT_SCHEMA = {
    "type": "object",
    "required": ["env"],
    "additionalProperties": False,
    "properties": {
        "env": {"type": "string"},
        "prefix": {"type": "string"},
        "part": {"enum": ["login", "password", "basic"]},
    },
}
URL_SCHEMA = {
    "anyOf": [{"type": "string"}, {"type": "object", "required": ["xcom"]}, ENVIRONMENT_SCHEMA]
}
_CODES_SCHEMA = {"type": "integer", "minimum": 100, "maximum": 599}
_FILE_NAME = re.compile(r"[\w\-][\w.\- ]*(?:/[\w\-][\w.\- ]*)*")
_HOST = re.compile(r"(?:[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?")


def _check_url(url: Any) -> str:
    if not isinstance(url, str):
        raise ValueError("has to be text or the result of a task")
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"'{url}' has to begin with http:// or https://")
    return url


def _check_path(path: str) -> str:
    parse(path)
    return path


def _check_file_name(name: str) -> str:
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(f"'{name}' has to be a file name below LEOFLOW_ARTIFACTS, like rows.json")
    return name


def _check_host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise ValueError(f"'{host}' has to be a host, like api.example.org or localhost:8080")
    return host


def _check_scalar(value: Any) -> Any:
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError("has to be text, a number, true, false or null")
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, int) else value


Code = Annotated[int, Field(ge=100, le=599)]
Codes = Annotated[list[Code], Field(min_length=1)]
OneOrMoreCodes = Annotated[
    Codes,
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [_CODES_SCHEMA, {"type": "array", "items": _CODES_SCHEMA}]}),
]
JsonPath = Annotated[
    str, AfterValidator(_check_path), Field(description="Where a value is: data.items[0].state")
]
Scalar = Annotated[
    Any,
    AfterValidator(_check_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
Host = Annotated[str, AfterValidator(_check_host)]


class ConditionField(Strict):
    """Holds when the answer has one of the codes, and the value at the path is as it should be."""

    status: OneOrMoreCodes | None = None
    path: JsonPath | None = None
    equals: Scalar = None
    one_of: Annotated[list[Scalar], Field(min_length=1)] | None = None
    none_of: Annotated[list[Scalar], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ConditionField:
        wanted = {"equals", "one_of", "none_of"} & self.model_fields_set
        if self.path is None and wanted:
            raise ValueError(f"'{min(wanted)}' needs a 'path', where in the answer the value is")
        if self.path is not None and len(wanted) != 1:
            raise ValueError("'path' needs exactly one of equals, one_of and none_of")
        if self.path is None and self.status is None:
            raise ValueError("needs a 'status' or a 'path'")
        return self


class PollField(Strict):
    """Send the request again and again."""

    until: ConditionField = Field(description="The answer for which this holds is the result")
    interval_seconds: Annotated[float, Field(gt=0)] = HttpPoll.interval_seconds
    fail_when: ConditionField | None = Field(
        default=None, description="An answer for which this holds ends the task as failed"
    )


class PaginationField(Strict):
    """Ask for page after page and join their items into one list."""

    next: Literal["url", "cursor", "link_header", "page_number"] = Field(
        description="Where the next page is"
    )
    items: JsonPath | None = None
    path: JsonPath | None = None
    query: Annotated[str, Field(min_length=1)] | None = None
    first_page: Annotated[int, Field(ge=0)] = HttpPagination.first_page
    max_pages: Annotated[int, Field(ge=1)] = HttpPagination.max_pages
    allowed_hosts: list[Host] = Field(
        default_factory=list, description="Other hosts that may have pages and get the headers"
    )

    @model_validator(mode="after")
    def _fits_its_way(self) -> PaginationField:
        needed = {"url": {"path"}, "cursor": {"path", "query"}, "page_number": {"query"}}.get(
            self.next, set()
        )
        for name in ("path", "query"):
            said = getattr(self, name) is not None
            if said != (name in needed):
                verb = "has no use for" if said else "needs"
                raise ValueError(f"next: {self.next} {verb} '{name}'")
        if self.next != "page_number" and "first_page" in self.model_fields_set:
            raise ValueError(f"next: {self.next} has no use for 'first_page'")
        return self


class PlainField(Strict):
    """The fields that have to be known before the run; ``url`` may also be a result."""

    url: Annotated[Any, AfterValidator(_check_url), WithJsonSchema(URL_SCHEMA)]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] = "GET"
    timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    success_codes: Codes = Field(default_factory=lambda: list(HttpAction.success_codes))
    execution_mode: Literal["inline", "pod"] = "inline"
    connect_timeout_seconds: Annotated[float, Field(gt=0)] | None = None
    request_retries: Annotated[int, Field(ge=0)] = HttpAction.request_retries
    retry_codes: list[Code] = Field(default_factory=list)
    poll: PollField | None = None
    pagination: PaginationField | None = None
    save_as: Annotated[str, AfterValidator(_check_file_name)] | None = None


_VALUES_SCHEMA = {"type": "object", "description": "By name: a value, a result, or {env: NAME}"}


class HttpField(PlainField):
    """All fields; headers, query and body may hold results of other tasks."""

    headers: Annotated[Mapping[str, Any], WithJsonSchema(_VALUES_SCHEMA)] | None = None
    query: Annotated[Mapping[str, Any], WithJsonSchema(_VALUES_SCHEMA)] | None = None
    body: Any = None
