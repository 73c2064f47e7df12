"""The tokens of people and programs: leoflow's own resource, and for admins only (see the gate)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AwareDatetime, Field, field_validator
from sqlalchemy import Row

from leoflow_controlplane.auth.token import Role, hash_token, make_token
from leoflow_controlplane.error import Refused
from leoflow_controlplane.rest.asking import AnOffice, APage
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import Body, RowKey, Shape, StrictRoute, instant, moment
from leoflow_controlplane.store.query.token import find_token, list_tokens
from leoflow_controlplane.store.token import add_token, remove_token

router = APIRouter(prefix="/api/v2/tokens", tags=["Token"], route_class=StrictRoute)


class TokenShape(Shape):
    """A token, but not what it is. ``last_used_at`` may be five minutes late."""

    id: int
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewToken(TokenShape):
    """A token that was made: told this once, and kept nowhere."""

    token: str


class TokenList(Shape):
    """A page of tokens."""

    tokens: list[TokenShape]
    total_entries: int


class TokenBody(Body):
    """A token to make. Without ``expires_at`` it is good until it is deleted."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w.@ -]+$")]
    role: Role
    expires_at: AwareDatetime | None = None

    @field_validator("expires_at")
    @classmethod
    def _can_be_shown(cls, expires_at: datetime | None) -> datetime | None:
        try:
            return None if expires_at is None else expires_at.astimezone(UTC)
        except OverflowError:
            raise ValueError("expires_at is not in the years 1 to 9999, as UTC has them") from None


@router.get("", responses=refusals(400))
async def get_tokens(page: APage, office: AnOffice) -> TokenList:
    """List tokens."""
    rows, total = await office.reader.read(list_tokens, page)
    tokens = [TokenShape.model_validate(_fields(row)) for row in rows]
    return TokenList(tokens=tokens, total_entries=total)


@router.post("", status_code=201, responses=refusals(400, 409, 413))
async def post_token(body: TokenBody, office: AnOffice) -> NewToken:
    """Make a token."""
    now = office.clock()
    expires_at = None if body.expires_at is None else body.expires_at.timestamp()
    if expires_at is not None and expires_at <= now:
        raise Refused(f"expires_at is '{body.expires_at}', which is over.")
    token = make_token()
    key = await office.writer.run(
        add_token, body.name, body.role, hash_token(token), now, expires_at
    )
    row = await office.reader.read(find_token, key)
    return NewToken.model_validate({**_fields(row), "token": token})


@router.get("/{token_id}", responses=refusals(404))
async def get_token(token_id: RowKey, office: AnOffice) -> TokenShape:
    """Give a token, but not what it is."""
    return TokenShape.model_validate(_fields(await office.reader.read(find_token, token_id)))


@router.delete("/{token_id}", status_code=204, responses=refusals(404, 409))
async def delete_token(token_id: RowKey, office: AnOffice) -> None:
    """Delete a token; whoever has it is refused from now on."""
    await office.writer.run(remove_token, token_id, office.clock())
    office.forget_tokens()


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "created_at": moment(row.created_at),
        "expires_at": instant(row.expires_at),
        "last_used_at": instant(row.last_used_at),
    }
