"""DAGs: pushed, listed, paused and forgotten."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from leoflow_agent.spec import BuiltDag

from leoflow_controlplane.model import RunState
from leoflow_controlplane.rest.asking import AnOffice, APage
from leoflow_controlplane.rest.dagshape import (
    DagDetails,
    DagList,
    DagShape,
    details_dag,
    shape_dag,
)
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import Body, Name, StrictRoute
from leoflow_controlplane.rest.version import PushedVersionShape, shape_pushed
from leoflow_controlplane.store.query.dag import (
    DagFilter,
    count_unfinished,
    find_dag,
    find_version,
    list_dags,
)

router = APIRouter(prefix="/api/v2/dags", tags=["DAG"], route_class=StrictRoute)


class DagPatch(Body):
    """What can be changed of a DAG without building it again."""

    is_paused: bool


@router.get("", responses=refusals(400))
async def get_dags(
    page: APage,
    office: AnOffice,
    dag_id_pattern: str | None = None,
    dag_display_name_pattern: str | None = None,
    paused: bool | None = None,
    tags: Annotated[list[str] | None, Query()] = None,
    tags_match_mode: Literal["any", "all"] = "any",
    last_dag_run_state: RunState | None = None,
) -> DagList:
    """List DAGs. A pattern is SQL's (% and _), anywhere in the name."""
    wanted = DagFilter(
        pattern=dag_id_pattern if dag_id_pattern is not None else dag_display_name_pattern,
        paused=paused,
        tags=tuple(tags or ()),
        tags_match=tags_match_mode,
        last_run_states=(last_dag_run_state,) if last_dag_run_state else (),
    )
    found = await office.reader.read(list_dags, office.summaries, wanted, page)
    return DagList(dags=[shape_dag(dag) for dag in found.dags], total_entries=found.total)


@router.post(
    "",
    status_code=201,
    responses={
        200: {"description": "This version was known already", "model": PushedVersionShape},
        **refusals(409, 413),
    },
)
async def push_dag(built: BuiltDag, office: AnOffice, response: Response) -> PushedVersionShape:
    """Register what `leoflow build` has made. leoflow's own: Airflow finds its DAGs in files."""
    registered = await office.commands.register_dag(built)
    response.status_code = 201 if registered.created else 200
    version = await office.reader.read(find_version, registered.dag_id, registered.version_number)
    return shape_pushed(version, registered.warnings, registered.notes)


@router.get("/{dag_id}", responses=refusals(404))
async def get_dag(dag_id: Name, office: AnOffice) -> DagShape:
    """Give a DAG."""
    return await _find(office, dag_id)


@router.get("/{dag_id}/details", responses=refusals(404))
async def get_dag_details(dag_id: Name, office: AnOffice) -> DagDetails:
    """Give a DAG with what its current version says."""
    dag = await office.reader.read(find_dag, office.summaries, dag_id)
    return details_dag(dag, await office.reader.read(count_unfinished, dag_id))


@router.patch("/{dag_id}", responses=refusals(404, 409, 413))
async def patch_dag(dag_id: Name, body: DagPatch, office: AnOffice) -> DagShape:
    """Pause a DAG, or let it go on."""
    await office.commands.pause_dag(dag_id, body.is_paused)
    return await _find(office, dag_id)


@router.delete("/{dag_id}", status_code=204, responses=refusals(404, 409))
async def delete_dag(dag_id: Name, office: AnOffice) -> None:
    """Forget a DAG with its versions and runs, none of which may be under way."""
    await office.commands.delete_dag(dag_id)


async def _find(office: Office, dag_id: str) -> DagShape:
    return shape_dag(await office.reader.read(find_dag, office.summaries, dag_id))
