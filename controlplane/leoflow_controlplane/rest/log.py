"""What a try wrote: by pages, as a stream of lines, and as it comes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field
from sqlalchemy import Row
from starlette.responses import StreamingResponse

from leoflow_controlplane.model import NOT_MAPPED, TryKey
from leoflow_controlplane.rest.asking import AnOffice
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import (
    MAX_INTEGER,
    Name,
    Shape,
    StrictRoute,
    TaskName,
    TryNumber,
    moment,
)
from leoflow_controlplane.rest.wait import NDJSON, rings
from leoflow_controlplane.store.query.log import LogPage, read_log

PAGE_ROWS = 1000
# An empty line, which says nothing, keeps a proxy from ending a stream that is quiet for long.
QUIET_SECONDS = 30.0

router = APIRouter(
    prefix="/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/logs",
    tags=["Task Instance"],
    route_class=StrictRoute,
)


class LogLine(Shape):
    """Something that a try wrote. ``stream`` is stdout or stderr, None if leoflow wrote it."""

    timestamp: datetime
    event: str
    stream: str | None


class LogShape(Shape):
    """A page. ``continuation_token`` asks for what follows; null: nothing does."""

    content: list[LogLine]
    continuation_token: str | None = Field(description="For the parameter 'token'.")


@router.get(
    "/{try_number}",
    response_model=LogShape,
    responses={
        200: {
            "description": "What the try wrote",
            "content": {
                NDJSON: {
                    "schema": {
                        "type": "string",
                        "example": '{"timestamp": "…", "event": "hello", "stream": "stdout"}\n',
                    }
                }
            },
        },
        **refusals(404),
    },
)
async def get_log(
    dag_id: Name,
    dag_run_id: Name,
    task_id: TaskName,
    try_number: TryNumber,
    office: AnOffice,
    map_index: Annotated[int, Query(ge=-1, le=MAX_INTEGER)] = NOT_MAPPED,
    full_content: Annotated[bool, Query(description="All at once instead of a page.")] = False,
    token: Annotated[
        str | None,
        Query(pattern="^[0-9]{1,18}$", description="The continuation_token of the page before."),
    ] = None,
    follow: Annotated[
        bool, Query(description="Keep the stream open while the try runs (ndjson only).")
    ] = False,
    accept: Annotated[str, Header()] = "",
) -> Response | LogShape:
    """Give what a try wrote: a page as JSON, or with Accept: application/x-ndjson or follow=true
    all of it as lines."""
    key = TryKey(dag_id, dag_run_id, task_id, map_index, try_number)
    page = await office.reader.read(read_log, key, int(token or 0), PAGE_ROWS)
    if follow or NDJSON in accept:
        return StreamingResponse(_stream(office, key, page, follow), media_type=NDJSON)
    rows = list(page.rows)
    while full_content and len(page.rows) == PAGE_ROWS:
        page = await office.reader.read(read_log, key, page.cursor, PAGE_ROWS)
        rows += page.rows
    return LogShape(
        content=[LogLine(timestamp=moment(r.at), event=r.text, stream=r.stream) for r in rows],
        continuation_token=None if page.over else str(page.cursor),
    )


async def _stream(office: Office, key: TryKey, page: LogPage, follow: bool) -> AsyncIterator[str]:
    while True:
        if page.rows:
            yield "".join(map(_line, page.rows))
        if page.over or not (follow or len(page.rows) == PAGE_ROWS):
            return
        # Taken before looking, so that a line which comes in between rings it.
        ring = office.watch(key.run)
        page = await office.reader.read(read_log, key, page.cursor, PAGE_ROWS)
        if not page.rows and not page.over and not await rings(ring, QUIET_SECONDS):
            yield "\n"


def _line(row: Row[Any]) -> str:
    at = moment(row.at).isoformat()
    return json.dumps({"timestamp": at, "event": row.text, "stream": row.stream}) + "\n"
