"""What endpoints have in common in what may be asked of them: the office, pages and intervals.

All is async though nothing waits: FastAPI runs what is not in a thread, at each request.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from leoflow_controlplane.auth.token import Principal
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.shape import MAX_INTEGER
from leoflow_controlplane.store.query.page import Page

MAX_LIMIT = 1000
DEFAULT_LIMIT = 50

_known: dict[Any, frozenset[str]] = {}


async def get_office(request: Request) -> Office:
    """Give what the endpoints work with."""
    office: Office = request.app.state.office
    return office


async def get_principal(request: Request) -> Principal:
    """Give who asks; the gate has let nobody else in."""
    principal: Principal = request.state.principal
    return principal


async def get_page(
    limit: Annotated[int, Query(ge=0, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    offset: Annotated[int, Query(ge=0, le=MAX_INTEGER)] = 0,
    order_by: Annotated[
        list[str] | None,
        Query(description="Names of fields, with '-' in front for the other direction."),
    ] = None,
) -> Page:
    """Read which part of a list is asked for."""
    return Page(limit, offset, tuple(order_by or ()))


AnOffice = Annotated[Office, Depends(get_office)]
APrincipal = Annotated[Principal, Depends(get_principal)]
APage = Annotated[Page, Depends(get_page)]


async def refuse_unknown(request: Request) -> None:
    """Refuse query parameters that the route does not have, and what no store can hold."""
    if "\0" in request.url.path or "%00" in request.scope.get("raw_path", b"").decode("latin-1"):
        raise HTTPException(404, "there is nothing with a NUL in its name.")
    endpoint = request.scope["endpoint"]
    if endpoint not in _known:
        _known[endpoint] = frozenset(_names(request.scope["route"].dependant))
    mistakes = [
        {"loc": ["query", name], "msg": text, "type": "extra_forbidden"}
        for name, value in request.query_params.multi_items()
        if (text := _mistake(name, value, _known[endpoint])) is not None
    ]
    if mistakes:
        raise RequestValidationError(mistakes)


def _mistake(name: str, value: str, known: frozenset[str]) -> str | None:
    if name not in known:
        return f"'{name}' is unknown. Known are: {', '.join(sorted(known)) or 'none'}."
    return "a NUL cannot be looked for." if "\0" in value else None


def _names(dependant: Any) -> list[str]:
    names = [str(field.alias) for field in dependant.query_params]
    return names + [name for inner in dependant.dependencies for name in _names(inner)]
