"""Pools: Airflow's clients find the one that there is, and are told why there are no others."""

from __future__ import annotations

from typing import NoReturn

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from leoflow_controlplane.error import NotFound
from leoflow_controlplane.rest.asking import AnOffice, APage
from leoflow_controlplane.rest.instanceshape import POOL
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.refusal import Problem, refusals
from leoflow_controlplane.rest.shape import Name, Shape, StrictRoute
from leoflow_controlplane.store.query.page import like_matches, order_key
from leoflow_controlplane.store.query.pool import count_occupancy

router = APIRouter(prefix="/api/v2/pools", tags=["Pool"], route_class=StrictRoute)

WHY = (
    "leoflow has no pools: how many tries run at once is the setting max_parallel_tasks, and "
    "limits of a DAG or a task are written in the DAG (max_active_tasks, max_active_tis_per_dag). "
    f"'{POOL}' shows the former."
)


class PoolShape(Shape):
    """A pool. Calls that the control plane makes itself take no slot."""

    name: str
    slots: int
    description: str | None
    include_deferred: bool
    occupied_slots: int
    running_slots: int
    queued_slots: int
    scheduled_slots: int
    open_slots: int
    deferred_slots: int


class PoolList(Shape):
    """A page of pools."""

    pools: list[PoolShape]
    total_entries: int


@router.get("", responses=refusals(400))
async def get_pools(
    page: APage, office: AnOffice, pool_name_pattern: str | None = None
) -> PoolList:
    """List the one pool."""
    for word in page.order:
        order_key(word, {"id": 0, "name": 0, "pool": 0, "slots": 0})
    matches = pool_name_pattern is None or like_matches(pool_name_pattern, POOL)
    pools = [await _read_pool(office)] if matches else []
    return PoolList(pools=pools[page.offset :][: page.limit], total_entries=len(pools))


@router.get("/{pool_name}", responses=refusals(404))
async def get_pool(pool_name: Name, office: AnOffice) -> PoolShape:
    """Give a pool."""
    if pool_name != POOL:
        raise NotFound(f"there is no pool '{pool_name}'. {WHY}")
    return await _read_pool(office)


@router.post("", status_code=405, responses=refusals(405, 413))
async def post_pool() -> Problem:
    """Refuse to make a pool."""
    _refuse()


@router.patch("", status_code=405, responses=refusals(405, 413))
async def patch_pools() -> Problem:
    """Refuse to change pools."""
    _refuse()


@router.patch("/{pool_name}", status_code=405, responses=refusals(405, 413))
async def patch_pool(pool_name: Name) -> Problem:
    """Refuse to change a pool."""
    _refuse(pool_name)


@router.delete("/{pool_name}", status_code=405, responses=refusals(405))
async def delete_pool(pool_name: Name) -> Problem:
    """Refuse to delete a pool."""
    _refuse(pool_name)


def _refuse(name: str = POOL) -> NoReturn:
    raise HTTPException(
        405, f"the pool '{name}' cannot be made or changed. {WHY}", {"Allow": "GET"}
    )


async def _read_pool(office: Office) -> PoolShape:
    running, queued, scheduled = await office.reader.read(count_occupancy)
    return PoolShape(
        name=POOL,
        slots=office.slots,
        description="How many tries run at once",
        include_deferred=False,
        occupied_slots=running + queued,
        running_slots=running,
        queued_slots=queued,
        scheduled_slots=scheduled,
        open_slots=max(0, office.slots - running - queued),
        deferred_slots=0,
    )
