"""Letting task instances run again, in one run or in several of a DAG."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, Field, model_validator

from leoflow_controlplane.command import TaskRef, TaskSelection
from leoflow_controlplane.error import Refused
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.rest.asking import AnOffice
from leoflow_controlplane.rest.cleared import list_cleared
from leoflow_controlplane.rest.instanceshape import InstanceList
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import Body, Name, StrictRoute
from leoflow_controlplane.store.query.run import Between, find_run, list_keys, require_dag

MAX_RUNS = 1000

router = APIRouter(prefix="/api/v2/dags/{dag_id}", tags=["Task Instance"], route_class=StrictRoute)
_Index = Annotated[int, Field(ge=-1, le=2**31 - 1)]


class ClearBody(Body):
    """Which task instances. Without ``dag_run_id``: those of all runs, or of the runs whose
    logical dates are between the two dates, both included."""

    dry_run: bool = True
    start_date: AwareDatetime | None = None
    end_date: AwareDatetime | None = None
    only_failed: bool = True
    only_running: bool = False
    reset_dag_runs: bool = True
    task_ids: Annotated[list[str | tuple[str, _Index]] | None, Field(min_length=1)] = None
    dag_run_id: str | None = None
    include_upstream: bool = False
    include_downstream: bool = False
    include_future: bool = False
    include_past: bool = False

    @model_validator(mode="after")
    def _makes_sense(self) -> ClearBody:
        dated = self.start_date is not None or self.end_date is not None
        if self.only_failed and self.only_running:
            raise ValueError("only_failed and only_running are both true. Choose one.")
        if dated and self.dag_run_id is not None:
            raise ValueError("give dag_run_id, or start_date and end_date, not both")
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError("end_date is before start_date")
        if (self.include_future or self.include_past) and self.dag_run_id is None:
            raise ValueError("include_future and include_past need the dag_run_id to begin from")
        return self


@router.post("/clearTaskInstances", responses=refusals(400, 404, 409, 413))
async def clear_task_instances(dag_id: Name, body: ClearBody, office: AnOffice) -> InstanceList:
    """Let task instances run again. Run by run: when one is refused, those before it are done."""
    if not body.reset_dag_runs:
        raise Refused("reset_dag_runs is false, but a run whose tasks run again is not over.")
    selection = TaskSelection(
        body.task_ids,
        upstream=body.include_upstream,
        downstream=body.include_downstream,
        only_failed=body.only_failed,
        only_running=body.only_running,
    )
    refs: list[TaskRef] = []
    for key in await _runs(office, dag_id, body):
        refs += await office.commands.clear(key, selection, dry_run=body.dry_run)
    return await list_cleared(office, refs)


async def _runs(office: Office, dag_id: str, body: ClearBody) -> list[RunKey]:
    if body.dag_run_id is None:
        await office.reader.read(require_dag, dag_id)
        since, until = body.start_date, body.end_date
        dates = Between(
            gte=None if since is None else since.timestamp(),
            lte=None if until is None else until.timestamp(),
        )
    else:
        key = RunKey(dag_id, body.dag_run_id)
        run = await office.reader.read(find_run, key)
        if not (body.include_future or body.include_past):
            return [key]
        dates = Between(
            gte=None if body.include_past else run.logical_at,
            lte=None if body.include_future else run.logical_at,
        )
    keys = await office.reader.read(list_keys, dag_id, dates, MAX_RUNS + 1)
    if len(keys) > MAX_RUNS:
        raise Refused(f"that is more than {MAX_RUNS} runs. Give dates that are closer.")
    return keys
