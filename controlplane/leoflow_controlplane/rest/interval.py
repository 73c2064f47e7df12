"""Filters by instants: ``NAME_gte``, ``_gt``, ``_lte`` and ``_lt``.

Without `from __future__ import annotations`: FastAPI could not find what the annotations name.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Query
from pydantic import AwareDatetime

from leoflow_controlplane.store.query.run import Between


def interval(name: str) -> Callable[..., Awaitable[tuple[str, Between]]]:
    """Make the dependency that reads the filters of one date."""

    async def read(
        gte: Annotated[AwareDatetime | None, Query(alias=f"{name}_gte")] = None,
        gt: Annotated[AwareDatetime | None, Query(alias=f"{name}_gt")] = None,
        lte: Annotated[AwareDatetime | None, Query(alias=f"{name}_lte")] = None,
        lt: Annotated[AwareDatetime | None, Query(alias=f"{name}_lt")] = None,
    ) -> tuple[str, Between]:
        ends = (None if at is None else at.timestamp() for at in (gte, gt, lte, lt))
        return name, Between(*ends)

    return read


LogicalDate = Annotated[tuple[str, Between], Depends(interval("logical_date"))]
RunAfter = Annotated[tuple[str, Between], Depends(interval("run_after"))]
StartDate = Annotated[tuple[str, Between], Depends(interval("start_date"))]
EndDate = Annotated[tuple[str, Between], Depends(interval("end_date"))]
