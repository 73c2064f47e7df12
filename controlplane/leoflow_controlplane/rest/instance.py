"""Task instances: listed, looked at, and set to a state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from sqlalchemy import Connection, Row

from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.error import NotFound, Refused
from leoflow_controlplane.model import NOT_MAPPED, RunKey, TaskState
from leoflow_controlplane.rest.asking import AnOffice, APage
from leoflow_controlplane.rest.cleared import list_cleared, shape_rows
from leoflow_controlplane.rest.instanceshape import (
    InstanceList,
    InstanceShape,
    TryList,
    TryShape,
    shape_try,
)
from leoflow_controlplane.rest.interval import EndDate, LogicalDate, RunAfter, StartDate
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import (
    Body,
    MapIndex,
    Name,
    Note,
    StrictRoute,
    TaskName,
    TryNumber,
)
from leoflow_controlplane.store.note import note_instances
from leoflow_controlplane.store.query.instance import (
    InstanceFilter,
    find_instance,
    find_try,
    has_task,
    list_instances,
    list_tries,
)
from leoflow_controlplane.store.query.page import Page
from leoflow_controlplane.store.query.summary import Summaries

router = APIRouter(
    prefix="/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances",
    tags=["Task Instance"],
    route_class=StrictRoute,
)
States = Annotated[list[TaskState | Literal["none"]] | None, Query()]


class InstancePatch(Body):
    """What can be changed of a task instance, or with it of others of its run."""

    new_state: Literal["success", "failed", "skipped"] | None = None
    note: Note | None = None
    include_upstream: bool = False
    include_downstream: bool = False


@router.get("", responses=refusals(400, 404))
async def get_task_instances(
    dag_id: Name,
    dag_run_id: Name,
    page: APage,
    office: AnOffice,
    logical_date: LogicalDate,
    run_after: RunAfter,
    start_date: StartDate,
    end_date: EndDate,
    state: States = None,
    task_id: str | None = None,
    task_display_name_pattern: str | None = None,
) -> InstanceList:
    """List the task instances of a run; `~` is all DAGs, or all runs."""
    wanted = InstanceFilter(
        dag_id=dag_id,
        run_id=dag_run_id,
        task_id=task_id,
        states=_states(state),
        pattern=task_display_name_pattern,
        between=(logical_date, run_after, start_date, end_date),
    )
    return await _list(office, wanted, page)


@router.get("/{task_id}/listMapped", responses=refusals(400, 404))
async def get_mapped_task_instances(
    dag_id: Name,
    dag_run_id: Name,
    task_id: TaskName,
    page: APage,
    office: AnOffice,
    state: States = None,
) -> InstanceList:
    """List the instances that a mapped task was expanded to."""
    if not await office.reader.read(has_task, RunKey(dag_id, dag_run_id), task_id):
        raise NotFound(f"run '{dag_run_id}' of DAG '{dag_id}' has no task '{task_id}'.")
    wanted = InstanceFilter(dag_id, dag_run_id, task_id, mapped=True, states=_states(state))
    return await _list(office, wanted, page)


@router.get("/{task_id}", responses=refusals(404))
async def get_task_instance(
    dag_id: Name, dag_run_id: Name, task_id: TaskName, office: AnOffice
) -> InstanceShape:
    """Give the instance of a task that is not mapped."""
    return await _find(office, RunKey(dag_id, dag_run_id), task_id, NOT_MAPPED)


@router.get("/{task_id}/tries", responses=refusals(404))
async def get_task_instance_tries(
    dag_id: Name,
    dag_run_id: Name,
    task_id: TaskName,
    office: AnOffice,
    map_index: Annotated[int, Query(ge=-1, le=2**31 - 1)] = NOT_MAPPED,
) -> TryList:
    """List the tries of a task instance, the first first."""
    return await _tries(office, RunKey(dag_id, dag_run_id), task_id, map_index)


@router.get("/{task_id}/tries/{task_try_number}", responses=refusals(404))
async def get_task_instance_try(
    dag_id: Name,
    dag_run_id: Name,
    task_id: TaskName,
    task_try_number: TryNumber,
    office: AnOffice,
    map_index: Annotated[int, Query(ge=-1, le=2**31 - 1)] = NOT_MAPPED,
) -> TryShape:
    """Give one try of a task instance."""
    key = RunKey(dag_id, dag_run_id)
    return await office.reader.read(
        _read_try, office.summaries, key, task_id, map_index, task_try_number
    )


@router.get("/{task_id}/{map_index}", responses=refusals(404))
async def get_mapped_task_instance(
    dag_id: Name, dag_run_id: Name, task_id: TaskName, map_index: MapIndex, office: AnOffice
) -> InstanceShape:
    """Give one instance of a mapped task."""
    return await _find(office, RunKey(dag_id, dag_run_id), task_id, map_index)


@router.get("/{task_id}/{map_index}/tries", responses=refusals(404))
async def get_mapped_task_instance_tries(
    dag_id: Name, dag_run_id: Name, task_id: TaskName, map_index: MapIndex, office: AnOffice
) -> TryList:
    """List the tries of one instance of a mapped task."""
    return await _tries(office, RunKey(dag_id, dag_run_id), task_id, map_index)


@router.patch("/{task_id}", responses=refusals(400, 404, 409, 413))
async def patch_task_instance(
    dag_id: Name, dag_run_id: Name, task_id: TaskName, body: InstancePatch, office: AnOffice
) -> InstanceList:
    """Set the state of a task's instances, or leave a note at them."""
    return await _patch(office, RunKey(dag_id, dag_run_id), task_id, None, body)


@router.patch("/{task_id}/dry_run", responses=refusals(400, 404, 409, 413))
async def patch_task_instance_dry_run(
    dag_id: Name, dag_run_id: Name, task_id: TaskName, body: InstancePatch, office: AnOffice
) -> InstanceList:
    """Tell which task instances a change of state would change."""
    return await _patch(office, RunKey(dag_id, dag_run_id), task_id, None, body, dry_run=True)


@router.patch("/{task_id}/{map_index}", responses=refusals(400, 404, 409, 413))
async def patch_mapped_task_instance(
    dag_id: Name,
    dag_run_id: Name,
    task_id: TaskName,
    map_index: MapIndex,
    body: InstancePatch,
    office: AnOffice,
) -> InstanceList:
    """Set the state of one instance of a mapped task, or leave a note at it."""
    return await _patch(office, RunKey(dag_id, dag_run_id), task_id, map_index, body)


async def _patch(
    office: Office,
    key: RunKey,
    task_id: str,
    map_index: int | None,
    body: InstancePatch,
    *,
    dry_run: bool = False,
) -> InstanceList:
    if not await office.reader.read(has_task, key, task_id):
        raise NotFound(f"run '{key.run_id}' of DAG '{key.dag_id}' has no task '{task_id}'.")
    if body.new_state is None and "note" not in body.model_fields_set:
        raise Refused("nothing is to be changed. Give 'new_state' or 'note'.")
    wanted = InstanceFilter(key.dag_id, key.run_id, task_id, map_index)
    if map_index is not None:
        await office.reader.read(find_instance, key, task_id, map_index)
    refs = None
    if body.new_state is not None:
        selection = TaskSelection(
            [task_id if map_index is None else (task_id, map_index)],
            upstream=body.include_upstream,
            downstream=body.include_downstream,
        )
        refs = await office.commands.set_task_state(key, selection, body.new_state, dry_run=dry_run)
    if "note" in body.model_fields_set and not dry_run:
        await office.writer.run(note_instances, key, task_id, map_index, body.note)
    return await (_list(office, wanted, Page(1000)) if refs is None else list_cleared(office, refs))


async def _list(office: Office, wanted: InstanceFilter, page: Page) -> InstanceList:
    return await office.reader.read(_read_list, office.summaries, wanted, page)


async def _find(office: Office, key: RunKey, task_id: str, map_index: int) -> InstanceShape:
    return await office.reader.read(_read_one, office.summaries, key, task_id, map_index)


async def _tries(office: Office, key: RunKey, task_id: str, map_index: int) -> TryList:
    return await office.reader.read(_read_tries, office.summaries, key, task_id, map_index)


def _read_list(
    connection: Connection, summaries: Summaries, wanted: InstanceFilter, page: Page
) -> InstanceList:
    rows, total = list_instances(connection, wanted, page)
    shapes = shape_rows(connection, summaries, rows)
    return InstanceList(task_instances=shapes, total_entries=total)


def _read_one(
    connection: Connection, summaries: Summaries, key: RunKey, task_id: str, map_index: int
) -> InstanceShape:
    row = find_instance(connection, key, task_id, map_index)
    return shape_rows(connection, summaries, [row])[0]


def _read_tries(
    connection: Connection, summaries: Summaries, key: RunKey, task_id: str, map_index: int
) -> TryList:
    shapes = _shape_tries(connection, summaries, list_tries(connection, key, task_id, map_index))
    return TryList(task_instances=shapes, total_entries=len(shapes))


def _read_try(
    connection: Connection,
    summaries: Summaries,
    key: RunKey,
    task_id: str,
    map_index: int,
    number: int,
) -> TryShape:
    row = find_try(connection, key, task_id, map_index, number)
    return _shape_tries(connection, summaries, [row])[0]


def _shape_tries(
    connection: Connection, summaries: Summaries, rows: Sequence[Row[Any]]
) -> list[TryShape]:
    known = summaries.of(connection, rows)
    return [shape_try(row, known[row.dag_version_id].kinds) for row in rows]


def _states(states: Sequence[str] | None) -> tuple[str | None, ...]:
    return tuple(None if state == "none" else state for state in states or ())
