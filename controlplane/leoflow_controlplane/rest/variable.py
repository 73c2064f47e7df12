"""Airflow variables: sealed in the store, given to the tasks that declare them."""

from __future__ import annotations

import contextlib
import json
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, JsonValue

from leoflow_controlplane.auth.token import Principal
from leoflow_controlplane.error import Refused
from leoflow_controlplane.rest.asking import AnOffice, APage, APrincipal
from leoflow_controlplane.rest.mask import MASK, mask_values
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import Body, Name, Shape, StrictRoute
from leoflow_controlplane.store.query.secret import find_secret, list_secrets
from leoflow_controlplane.store.sealed import Sealed
from leoflow_controlplane.vault import SecretUnreadable

router = APIRouter(prefix="/api/v2/variables", tags=["Variable"], route_class=StrictRoute)

# A variable of a task's environment is made of it: AIRFLOW_VAR_NAME.
_KEY = Field(min_length=1, max_length=250, pattern=r"^[\w.-]+$")


class VariableShape(Shape):
    """A variable; ``value`` as the reader may see it."""

    key: str
    value: str | None
    description: str | None
    is_encrypted: bool = True


class VariableList(Shape):
    """A page of variables."""

    variables: list[VariableShape]
    total_entries: int


class VariableBody(Body):
    """A variable. What is no text is kept as JSON."""

    key: Annotated[str, _KEY]
    value: JsonValue
    description: str | None = None


class VariablePatch(Body):
    """What is to be changed of a variable."""

    key: Annotated[str | None, _KEY] = None
    value: JsonValue = None
    description: str | None = None


@router.get("", responses=refusals(400))
async def get_variables(
    page: APage, office: AnOffice, principal: APrincipal, variable_key_pattern: str | None = None
) -> VariableList:
    """List variables."""
    rows, total = await office.reader.read(list_secrets, "variable", variable_key_pattern, page)
    shapes = [_shape(office, principal, row) for row in rows]
    return VariableList(variables=shapes, total_entries=total)


@router.post("", status_code=201, responses=refusals(400, 409, 413))
async def post_variable(
    body: VariableBody, office: AnOffice, principal: APrincipal
) -> VariableShape:
    """Add a variable."""
    await office.secrets.add("variable", body.key, _text(body.value), body.description)
    return await _find(office, principal, body.key)


@router.get("/{variable_key}", responses=refusals(404))
async def get_variable(
    variable_key: Name, office: AnOffice, principal: APrincipal
) -> VariableShape:
    """Give a variable."""
    return await _find(office, principal, variable_key)


@router.patch("/{variable_key}", responses=refusals(400, 404, 409, 413))
async def patch_variable(
    variable_key: Name, body: VariablePatch, office: AnOffice, principal: APrincipal
) -> VariableShape:
    """Change a variable; what is not given stays."""
    if body.key not in (None, variable_key):
        raise Refused(f"the key '{body.key}' is not that of the URL, '{variable_key}'.")
    row = await office.reader.read(find_secret, "variable", variable_key)
    given = body.model_fields_set
    text = _text(body.value) if "value" in given else office.secrets.open(row)
    description = body.description if "description" in given else row.description
    await office.secrets.change("variable", variable_key, text, description)
    return await _find(office, principal, variable_key)


@router.delete("/{variable_key}", status_code=204, responses=refusals(404))
async def delete_variable(variable_key: Name, office: AnOffice) -> None:
    """Delete a variable."""
    await office.secrets.remove("variable", variable_key)


async def _find(office: Office, principal: Principal, key: str) -> VariableShape:
    return _shape(office, principal, await office.reader.read(find_secret, "variable", key))


def _shape(office: Office, principal: Principal, row: Sealed) -> VariableShape:
    value = MASK
    # What a viewer may not see is not opened at all; what nobody can open does not hide the others.
    if principal.role == "admin":
        with contextlib.suppress(SecretUnreadable):
            value = _shown(office.secrets.open(row), row.name)
    return VariableShape(key=row.name, value=value, description=row.description)


def _shown(text: str, name: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    masked = mask_values(value, all_of_it=False, name=name)
    return text if masked == value else masked if isinstance(masked, str) else json.dumps(masked)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)
