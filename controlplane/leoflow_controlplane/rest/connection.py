"""Airflow connections: sealed in the store, given to the tasks that declare them.

Kept as the JSON that Airflow's AIRFLOW_CONN_… variables may hold.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field, field_validator

from leoflow_controlplane.auth.token import Principal
from leoflow_controlplane.connectionuri import FIELDS
from leoflow_controlplane.error import Refused
from leoflow_controlplane.rest.asking import AnOffice, APage, APrincipal
from leoflow_controlplane.rest.mask import MASK, mask_values
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import Body, Name, Shape, StrictRoute
from leoflow_controlplane.store.query.secret import find_secret, list_secrets
from leoflow_controlplane.store.sealed import Sealed
from leoflow_controlplane.vault import SecretUnreadable

router = APIRouter(prefix="/api/v2/connections", tags=["Connection"], route_class=StrictRoute)


class ConnectionShape(Shape):
    """A connection as the reader may see it. The password is never shown."""

    connection_id: str
    conn_type: str
    description: str | None
    host: str | None
    login: str | None
    schema_: Annotated[str | None, Field(alias="schema")]
    port: int | None
    password: str | None
    extra: str | None


class ConnectionList(Shape):
    """A page of connections."""

    connections: list[ConnectionShape]
    total_entries: int


class ConnectionFields(Body):
    """What a connection holds."""

    description: str | None = None
    host: str | None = None
    login: str | None = None
    schema_: Annotated[str | None, Field(alias="schema")] = None
    port: Annotated[int | None, Field(ge=0, le=65535)] = None
    password: str | None = None
    extra: str | None = None

    @field_validator("extra")
    @classmethod
    def _is_object(cls, extra: str | None) -> str | None:
        if not extra:
            return None
        try:
            known = isinstance(json.loads(extra), dict)
        except (ValueError, RecursionError):
            known = False
        if not known:
            raise ValueError("extra has to be a JSON object in a string, such as '{\"a\": 1}'")
        return extra


class ConnectionBody(ConnectionFields):
    """A connection."""

    connection_id: Annotated[str, Field(max_length=200, pattern=r"^[\w.-]+$")]
    conn_type: Annotated[str, Field(min_length=1, max_length=200)]


class ConnectionPatch(ConnectionFields):
    """What is to be changed of a connection; a password that is the mask stays as it is."""

    connection_id: Annotated[str | None, Field(max_length=200)] = None
    conn_type: Annotated[str | None, Field(min_length=1, max_length=200)] = None


@router.get("", responses=refusals(400))
async def get_connections(
    page: APage, office: AnOffice, principal: APrincipal, connection_id_pattern: str | None = None
) -> ConnectionList:
    """List connections."""
    rows, total = await office.reader.read(list_secrets, "connection", connection_id_pattern, page)
    shapes = [_shape(office, principal, row) for row in rows]
    return ConnectionList(connections=shapes, total_entries=total)


@router.post("", status_code=201, responses=refusals(400, 409, 413))
async def post_connection(
    body: ConnectionBody, office: AnOffice, principal: APrincipal
) -> ConnectionShape:
    """Add a connection."""
    name, text = body.connection_id, _text(body.model_dump(by_alias=True))
    await office.secrets.add("connection", name, text, body.description)
    return await _find(office, principal, name)


@router.get("/{connection_id}", responses=refusals(404))
async def get_connection(
    connection_id: Name, office: AnOffice, principal: APrincipal
) -> ConnectionShape:
    """Give a connection."""
    return await _find(office, principal, connection_id)


@router.patch("/{connection_id}", responses=refusals(400, 404, 409, 413))
async def patch_connection(
    connection_id: Name, body: ConnectionPatch, office: AnOffice, principal: APrincipal
) -> ConnectionShape:
    """Change a connection; what is not given stays."""
    if body.connection_id not in (None, connection_id):
        raise Refused(
            f"the connection_id '{body.connection_id}' is not that of the URL, '{connection_id}'."
        )
    row = await office.reader.read(find_secret, "connection", connection_id)
    given = body.model_dump(by_alias=True, exclude_unset=True)
    if given.get("password") == MASK:
        del given["password"]
    if "conn_type" in given and given["conn_type"] is None:
        raise Refused("conn_type is null, but a connection has a type, such as 'http'.")
    fields = {**_open(office, row), **given}
    description = body.description if "description" in given else row.description
    await office.secrets.change("connection", connection_id, _text(fields), description)
    return await _find(office, principal, connection_id)


@router.delete("/{connection_id}", status_code=204, responses=refusals(404))
async def delete_connection(connection_id: Name, office: AnOffice) -> None:
    """Delete a connection."""
    await office.secrets.remove("connection", connection_id)


async def _find(office: Office, principal: Principal, name: str) -> ConnectionShape:
    return _shape(office, principal, await office.reader.read(find_secret, "connection", name))


def _shape(office: Office, principal: Principal, row: Sealed) -> ConnectionShape:
    is_admin = principal.role == "admin"
    try:
        fields = _open(office, row)
    except SecretUnreadable:
        # It does not hide the others; whoever asks for a try that declares it is told why.
        fields = {"conn_type": ""}
    extra = fields.get("extra")
    if extra is not None:
        extra = json.dumps(mask_values(json.loads(extra), all_of_it=not is_admin))
    login = fields.get("login")
    return ConnectionShape.model_validate(
        {
            **{name: fields.get(name) for name in FIELDS},
            "connection_id": row.name,
            "description": row.description,
            "login": login if is_admin or login is None else MASK,
            "password": None if fields.get("password") is None else MASK,
            "extra": extra,
        }
    )


def _open(office: Office, row: Sealed) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(office.secrets.open(row))
    return fields


def _text(fields: dict[str, Any]) -> str:
    kept = {name: fields[name] for name in FIELDS if fields.get(name) is not None}
    return json.dumps(kept)
