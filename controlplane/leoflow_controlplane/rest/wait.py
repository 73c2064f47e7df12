"""Waiting for the end of a run: one line for each change of its state, and nothing is polled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.responses import StreamingResponse

from leoflow_controlplane.model import FINISHED_RUN, NOT_MAPPED, RunKey, RunState
from leoflow_controlplane.rest.asking import AnOffice
from leoflow_controlplane.rest.office import Office, Ring
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import Name, StrictRoute
from leoflow_controlplane.store.query.run import find_run
from leoflow_controlplane.store.query.xcom import list_returned
from leoflow_controlplane.store.result import has_open_try

router = APIRouter(prefix="/api/v2/dags/{dag_id}/dagRuns", tags=["DagRun"], route_class=StrictRoute)
NDJSON = "application/x-ndjson"
# Proxies end connections on which nothing is said for a minute.
DEFAULT_INTERVAL_SECONDS = 30.0
LEAST_INTERVAL_SECONDS = 1.0


@router.get(
    "/{dag_run_id}/wait",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A line for each change of the run's state",
            "content": {
                NDJSON: {
                    "schema": {
                        "type": "string",
                        "example": '{"state": "running"}\n{"state": "success", "results": {}}\n',
                    }
                }
            },
        },
        **refusals(404),
    },
)
async def wait_dag_run(
    dag_id: Name,
    dag_run_id: Name,
    office: AnOffice,
    interval: Annotated[
        float | None,
        Query(
            gt=0.0,
            le=86400.0,
            description="Say the state again after so many seconds (1 at least) without a change.",
        ),
    ] = None,
    result: Annotated[
        list[str] | None, Query(description="Tasks whose return values are to be told at the end.")
    ] = None,
) -> StreamingResponse:
    """Tell the state of a run whenever it changes, until the run is over.

    Its end is told once its containers are gone: all that is to be known of them is known then.
    """
    key = RunKey(dag_id, dag_run_id)
    await office.reader.read(find_run, key)
    pause = max(interval or DEFAULT_INTERVAL_SECONDS, LEAST_INTERVAL_SECONDS)
    return StreamingResponse(_follow(office, key, pause, result), media_type=NDJSON)


async def _follow(
    office: Office, key: RunKey, pause: float, tasks: list[str] | None
) -> AsyncIterator[str]:
    told = None
    while True:
        ring = office.watch(key)
        state, over = await office.reader.read(_look, key)
        if over:
            line: dict[str, Any] = {"state": state}
            if tasks is not None:
                line["results"] = await office.reader.read(_results, key, tasks)
            yield json.dumps(line) + "\n"
            return
        if state != told and state not in FINISHED_RUN:
            yield json.dumps({"state": state}) + "\n"
            told = state
        if not await rings(ring, pause):
            told = None


async def rings(ring: Ring, pause: float) -> bool:
    """Wait for a ring for ``pause`` seconds and say whether it came."""
    try:
        async with asyncio.timeout(pause):
            await ring.wait()
    except TimeoutError:
        return False
    return True


def _look(connection: Connection, key: RunKey) -> tuple[RunState, bool]:
    run = find_run(connection, key)
    over = run.state in FINISHED_RUN and not has_open_try(connection, run.id)
    return run.state, over


def _results(connection: Connection, key: RunKey, tasks: list[str]) -> dict[str, Any]:
    """Give what tasks returned; for a mapped one the list of what its instances did."""
    results: dict[str, Any] = dict.fromkeys(tasks)
    for row in list_returned(connection, key, tasks):
        value = json.loads(row.value)
        if row.map_index == NOT_MAPPED:
            results[row.task_id] = value
        else:
            results[row.task_id] = [*(results[row.task_id] or ()), value]
    return results
