"""Holds what the client sends, and what the fake answers, to the API's own OpenAPI document."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, cast

import jsonschema
from fakeserver import Request
from leoflow_controlplane.rest.api import make_api
from leoflow_controlplane.rest.office import Office

Document = dict[str, Any]


@cache
def openapi() -> Document:
    """Describe the real API; describing it asks for nothing of what it works with."""
    return make_api(cast(Office, None)).openapi()


def check(request: Request, status: int, said: Any) -> None:
    """Fail if the real API does not know a request, or what was answered is not of its shape."""
    operation = _operation(request)
    known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert set(request.query) <= known, f"{request.path}: {set(request.query) - known}"
    if request.body is not None:
        content = operation["requestBody"]["content"]
        _validate(request.body, content["application/json"]["schema"])
    content = operation["responses"].get(str(status), {}).get("content", {})
    if status < 300 and "application/json" in content:
        _fields(said, content["application/json"]["schema"], request.path)


def _operation(request: Request) -> Document:
    for path, operations in sorted(openapi()["paths"].items(), key=lambda item: "{" in item[0]):
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", path)
        if re.fullmatch(pattern, request.path) and request.method.lower() in operations:
            return cast(Document, operations[request.method.lower()])
    raise AssertionError(f"the API has no {request.method} {request.path}")


def _validate(value: Any, schema: Document) -> None:
    jsonschema.validate(value, {**schema, "components": openapi()["components"]})


def _fields(said: Any, schema: Document, path: str) -> None:
    """Fail for a field that the real answer has not; the fake need not have all that it has."""
    while "$ref" in schema:
        schema = openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if isinstance(said, list) and "items" in schema:
        for one in said:
            _fields(one, schema["items"], path)
    if isinstance(said, dict) and "properties" in schema:
        unknown = set(said) - set(schema["properties"])
        assert not unknown, f"{path}: the answer has no {unknown}"
        for name, value in said.items():
            _fields(value, schema["properties"][name], path)
