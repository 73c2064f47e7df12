"""DAG runs: started, listed, ended, run again and forgotten."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from pydantic import AwareDatetime, Field, JsonValue, model_validator

from leoflow_controlplane.command import TaskSelection, Trigger
from leoflow_controlplane.error import Refused
from leoflow_controlplane.model import RunKey, RunState, RunType
from leoflow_controlplane.rest.asking import AnOffice, APage, APrincipal
from leoflow_controlplane.rest.cleared import list_cleared
from leoflow_controlplane.rest.instanceshape import InstanceList
from leoflow_controlplane.rest.interval import EndDate, LogicalDate, RunAfter, StartDate
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.runshape import RunList, RunShape, shape_run
from leoflow_controlplane.rest.shape import MAX_INTEGER, Body, Name, Note, StrictRoute
from leoflow_controlplane.store.note import note_run
from leoflow_controlplane.store.query.run import RunFilter, find_run, list_runs
from leoflow_controlplane.traceparent import read_traceparent

router = APIRouter(prefix="/api/v2/dags/{dag_id}/dagRuns", tags=["DagRun"], route_class=StrictRoute)

# One path segment, and nothing that a terminal would obey.
_RUN_ID = Field(default=None, min_length=1, max_length=250, pattern=r"^[^/\x00-\x1f\x7f~]+$")


class TriggerBody(Body):
    """A run to be made. Airflow's run_after is not here: runs start at once."""

    dag_run_id: Annotated[str | None, _RUN_ID] = None
    logical_date: AwareDatetime | None = None
    data_interval_start: AwareDatetime | None = None
    data_interval_end: AwareDatetime | None = None
    conf: dict[str, JsonValue] | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> TriggerBody:
        if (self.data_interval_start is None) != (self.data_interval_end is None):
            raise ValueError("give both data_interval_start and data_interval_end, or neither")
        return self


class RunPatch(Body):
    """What can be changed of a run."""

    state: Literal["queued", "success", "failed"] | None = None
    note: Note | None = None


class RunClear(Body):
    """How a run is to run again. ``dry_run`` only tells what would."""

    dry_run: bool = True
    only_failed: bool = False
    run_on_latest_version: bool = False


@router.get("", responses=refusals(400, 404))
async def get_dag_runs(
    dag_id: Name,
    page: APage,
    office: AnOffice,
    logical_date: LogicalDate,
    run_after: RunAfter,
    start_date: StartDate,
    end_date: EndDate,
    run_type: Annotated[list[RunType] | None, Query()] = None,
    state: Annotated[list[RunState] | None, Query()] = None,
    dag_version: Annotated[list[int] | None, Query()] = None,
    run_id_pattern: str | None = None,
) -> RunList:
    """List runs of a DAG, or with `~` of all. A pattern is SQL's, anywhere in the run's id."""
    wanted = RunFilter(
        dag_id=dag_id,
        states=tuple(state or ()),
        run_types=tuple(run_type or ()),
        pattern=run_id_pattern,
        # A number that no column holds is that of no version, as 0 is.
        versions=tuple(n if abs(n) <= MAX_INTEGER else 0 for n in dag_version or ()),
        between=(logical_date, run_after, start_date, end_date),
    )
    rows, total = await office.reader.read(list_runs, wanted, page)
    return RunList(dag_runs=[shape_run(row) for row in rows], total_entries=total)


@router.post("", responses=refusals(400, 404, 409, 413))
async def trigger_dag_run(
    dag_id: Name,
    body: TriggerBody,
    office: AnOffice,
    principal: APrincipal,
    traceparent: Annotated[str | None, Header()] = None,
) -> RunShape:
    """Make a run of a DAG's current version."""
    trigger = Trigger(
        run_id=body.dag_run_id,
        logical_date=_written(body.logical_date),
        data_interval_start=_written(body.data_interval_start),
        data_interval_end=_written(body.data_interval_end),
        conf=body.conf or {},
        note=body.note,
        traceparent=read_traceparent(traceparent),
        triggered_by=principal.name,
    )
    return await _find(office, await office.commands.trigger(dag_id, trigger))


@router.get("/{dag_run_id}", responses=refusals(404))
async def get_dag_run(dag_id: Name, dag_run_id: Name, office: AnOffice) -> RunShape:
    """Give a run."""
    return await _find(office, RunKey(dag_id, dag_run_id))


@router.patch("/{dag_run_id}", responses=refusals(400, 404, 409, 413))
async def patch_dag_run(
    dag_id: Name, dag_run_id: Name, body: RunPatch, office: AnOffice
) -> RunShape:
    """End a run or queue it again; leave a note at it."""
    key = RunKey(dag_id, dag_run_id)
    if not body.model_fields_set:
        raise Refused("nothing is to be changed. Give 'state' or 'note'.")
    if body.state is not None:
        await office.commands.set_run_state(key, body.state)
    if "note" in body.model_fields_set:
        await office.writer.run(note_run, key, body.note)
    return await _find(office, key)


@router.delete("/{dag_run_id}", status_code=204, responses=refusals(400, 404, 409))
async def delete_dag_run(dag_id: Name, dag_run_id: Name, office: AnOffice) -> None:
    """Forget a run that is over."""
    await office.commands.delete_run(RunKey(dag_id, dag_run_id))


@router.post("/{dag_run_id}/clear", responses=refusals(400, 404, 409, 413))
async def clear_dag_run(
    dag_id: Name, dag_run_id: Name, body: RunClear, office: AnOffice
) -> InstanceList | RunShape:
    """Let a run's tasks run again, all of them or those that failed."""
    if body.run_on_latest_version:
        raise Refused(
            "run_on_latest_version is true, but a run keeps the version that it began with. "
            "Trigger another run."
        )
    key = RunKey(dag_id, dag_run_id)
    selection = TaskSelection(only_failed=body.only_failed)
    refs = await office.commands.clear(key, selection, dry_run=body.dry_run)
    if body.dry_run:
        return await list_cleared(office, refs)
    return await _find(office, key)


async def _find(office: Office, key: RunKey) -> RunShape:
    return shape_run(await office.reader.read(find_run, key))


def _written(date: Any) -> str | None:
    return None if date is None else str(date.isoformat())
