"""A control plane that does as it is told and starts nothing: the commands on the tables alone.

It refuses what a control plane would refuse of the commands that the tests give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import commandrows as rows
from fakestore import FakeBell, FakeStore
from leoflow_agent.spec import BuiltDag
from leoflow_controlplane.command import (
    BackfillRequest,
    Registered,
    TaskRef,
    TaskSelection,
    Trigger,
)
from leoflow_controlplane.error import DagRefused
from leoflow_controlplane.model import RunKey


class FakeCommands:
    """What a try has done is what `play_try` says, for nothing runs."""

    def __init__(self, store: FakeStore, bell: FakeBell, clock: Callable[[], float]) -> None:
        self._store = store
        self._bell = bell
        self._clock = clock

    async def register_dag(self, built: BuiltDag) -> Registered:
        names = [task.task_id for task in built.spec.tasks]
        if len(names) != len(set(names)):
            raise DagRefused(f"DAG '{built.spec.dag_id}' has two tasks of the same name.")
        return await self._store.run(rows.register_dag, built, self._clock())

    async def delete_dag(self, dag_id: str) -> None:
        await self._store.run(rows.delete_dag, dag_id)

    async def pause_dag(self, dag_id: str, paused: bool) -> None:
        await self._store.run(rows.pause_dag, dag_id, paused)

    async def trigger(self, dag_id: str, trigger: Trigger) -> RunKey:
        return await self._store.run(rows.trigger, dag_id, trigger, self._clock())

    async def set_run_state(
        self, key: RunKey, state: Literal["queued", "success", "failed"]
    ) -> None:
        await self._store.run(rows.set_run, key, state, self._clock())
        self._bell.ring()

    async def delete_run(self, key: RunKey) -> None:
        await self._store.run(rows.delete_run, key)

    async def clear(
        self, key: RunKey, selection: TaskSelection, *, dry_run: bool = False
    ) -> list[TaskRef]:
        return await self._store.run(rows.set_tasks, key, selection, "scheduled", dry_run)

    async def set_task_state(
        self,
        key: RunKey,
        selection: TaskSelection,
        state: Literal["success", "failed", "skipped"],
        *,
        dry_run: bool = False,
    ) -> list[TaskRef]:
        return await self._store.run(rows.set_tasks, key, selection, state, dry_run)

    async def create_backfill(self, request: BackfillRequest) -> int:
        return await self._store.run(rows.add_backfill, request, self._clock())

    async def change_backfill(
        self, backfill_id: int, action: Literal["pause", "unpause", "cancel"]
    ) -> None:
        await self._store.run(rows.change_backfill, backfill_id, action, self._clock())

    async def play_try(
        self, key: RunKey, task_id: str, *lines: str, state: str | None = "success", **fields: Any
    ) -> None:
        """Write down a try as a control plane does, with what it wrote and what it returned."""
        await self._store.run(rows.play_try, key, task_id, lines, state, self._clock(), fields)
        self._bell.ring()
