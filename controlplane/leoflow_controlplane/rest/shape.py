"""The words that all shapes of the REST API are made of, and how its JSON is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn
from uuid import UUID

from fastapi import Path, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

MAX_INTEGER = 2**31 - 1
MAX_KEY = 2**63 - 1
MAX_NOTE = 1000

Name = Annotated[str, Path(max_length=250)]
TaskName = Annotated[str, Path(max_length=250)]
MapIndex = Annotated[int, Path(ge=-1, le=MAX_INTEGER)]
TryNumber = Annotated[int, Path(ge=1, le=MAX_INTEGER)]
RowKey = Annotated[int, Path(ge=1, le=MAX_KEY)]
Note = Annotated[str, Field(max_length=MAX_NOTE)]


class Shape(BaseModel):
    """An answer."""

    model_config = ConfigDict(populate_by_name=True)


class Body(BaseModel):
    """What a request may hold: fields that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


def instant(at: float | None) -> datetime | None:
    """Give seconds since the epoch as a date."""
    return None if at is None else datetime.fromtimestamp(at, UTC)


def moment(at: float) -> datetime:
    """Give seconds since the epoch as a date."""
    return datetime.fromtimestamp(at, UTC)


def uuid_of(key: int) -> UUID:
    """Give a row's key in the form that Airflow's ids have."""
    return UUID(int=key)


class StrictRequest(Request):
    """Reads JSON as the standard has it, which Python's reader is more generous than."""

    async def json(self) -> Any:
        """Read the body; what cannot be kept and given back as it was is refused."""
        body = await self.body()
        try:
            text = body.decode("utf-8")
            value = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unite)
        except UnicodeDecodeError:
            raise _malformed("the body is not UTF-8") from None
        except RecursionError:
            raise _malformed("the body is nested too deeply") from None
        except json.JSONDecodeError as error:
            raise _malformed(f"the body is not JSON: {error}") from None
        except ValueError as error:
            raise _malformed(str(error)) from None
        # Only an escape can spell what UTF-8 cannot, or what a database cannot keep.
        if "\\u" in text and not _is_storable(value):
            raise _malformed("the body has a text with half of a surrogate pair, or with \\u0000")
        return value


class StrictRoute(APIRoute):
    """A route whose bodies are read by `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the handler of the route, in front of which requests become strict."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly


def _malformed(text: str) -> HTTPException:
    return HTTPException(422, text)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"the body is not JSON: {word} is no number")


def _unite(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    united = dict(pairs)
    if len(united) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the body has the key '{twice}' twice in one object")
    return united


def _is_storable(value: Any) -> bool:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\\u0000" not in text.replace("\\\\", "")
