"""Carries out what is asked of a control plane from outside: a step each, and what belongs to it.

Decides nothing about runs; that is done in ``steps``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Literal

from leoflow_agent.spec import BuiltDag, DagSpec

from leoflow_controlplane.admission import admit_dag
from leoflow_controlplane.calendar.backfill import Backfills
from leoflow_controlplane.command import (
    BackfillRequest,
    Registered,
    TaskRef,
    TaskSelection,
    Trigger,
)
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import DagRefused
from leoflow_controlplane.executor.protocol import Executor
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.pod.image import pinned
from leoflow_controlplane.podcheck import in_pods
from leoflow_controlplane.rehearsal import rehearse
from leoflow_controlplane.scheduler import Scheduler
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.steps import dag, intervention
from leoflow_controlplane.store.query.run import find_runs


class Commander:
    """Implements `command.Commands` while a scheduler runs."""

    def __init__(
        self,
        scheduler: Scheduler,
        database: Database,
        executor: Executor,
        settings: Settings,
        backfills: Backfills,
        clock: Callable[[], float],
    ) -> None:
        self._scheduler = scheduler
        self._database = database
        self._executor = executor
        self._settings = settings
        self._backfills = backfills
        self._clock = clock

    async def register_dag(self, built: BuiltDag) -> Registered:
        """Make a version of a DAG known and current; DagRefused says all that is wrong with it."""
        # In a thread: a DAG of many thousand tasks takes seconds.
        await asyncio.to_thread(admit_dag, built, self._settings)
        image = pinned(built.image.reference, built.image.digest)
        found = await rehearse(built.spec, image, self._executor, self._settings)
        if found.problems:
            raise DagRefused("\n".join(found.problems))
        registered = await self._scheduler.run(dag.register_dag, built, self._clock())
        notes = self._prepull(built.spec, image) if registered.created else ()
        return replace(registered, warnings=found.warnings, notes=notes)

    async def delete_dag(self, dag_id: str) -> None:
        """Forget a DAG, its versions and runs; Conflict while one of its runs is not over."""
        await self._scheduler.do(dag.delete_dag, dag_id, self._clock())
        self._scheduler.do_beside(self.prune())

    async def pause_dag(self, dag_id: str, paused: bool) -> None:
        """Let a DAG start nothing, or go on."""
        await self._scheduler.do(dag.pause_dag, dag_id, paused, self._clock())

    async def trigger(self, dag_id: str, trigger: Trigger) -> RunKey:
        """Make a run of the current version of a DAG."""
        return await self._scheduler.run(dag.trigger, dag_id, trigger, self._clock())

    async def set_run_state(
        self, key: RunKey, state: Literal["queued", "success", "failed"]
    ) -> None:
        """End a run as success or failed, stopping what runs; or queue it again (clear it)."""
        await self._scheduler.do(intervention.set_run_state, key, state, self._clock())

    async def delete_run(self, key: RunKey) -> None:
        """Forget a run that is over."""
        await self._scheduler.do(intervention.delete_run, key, self._clock())
        self._scheduler.do_beside(self.prune())

    async def clear(
        self, key: RunKey, selection: TaskSelection, *, dry_run: bool = False
    ) -> list[TaskRef]:
        """Let task instances run again, with as many retries as at first, and open their run."""
        asked = (selection, dry_run)
        return await self._scheduler.run(intervention.clear, key, asked, self._clock())

    async def set_task_state(
        self,
        key: RunKey,
        selection: TaskSelection,
        state: Literal["success", "failed", "skipped"],
        *,
        dry_run: bool = False,
    ) -> list[TaskRef]:
        """Set the states of task instances; a try of theirs that runs is stopped."""
        asked = (selection, state, dry_run)
        return await self._scheduler.run(intervention.set_task_state, key, asked, self._clock())

    async def create_backfill(self, request: BackfillRequest) -> int:
        """Begin a backfill and give its id."""
        return await self._scheduler.run(self._backfills.create, request, self._clock())

    async def change_backfill(
        self, backfill_id: int, action: Literal["pause", "unpause", "cancel"]
    ) -> None:
        """Pause, unpause or cancel a backfill."""
        await self._scheduler.do(self._backfills.change, backfill_id, action, self._clock())

    async def prune(self) -> None:
        """Have removed what an executor has kept for people of runs that are no more."""

        async def find(keys: Collection[RunKey]) -> Collection[RunKey]:
            return await self._database.read(find_runs, keys)

        if self._executor.pods is not None:
            await self._executor.pods.prune(find)

    def _prepull(self, spec: DagSpec, image: str) -> tuple[str, ...]:
        """Begin to pull the image of a new version ahead of need, if that is wanted; say so."""
        pods = self._executor.pods
        if pods is None or not pods.prepulls or not (tasks := tuple(in_pods(spec))):
            return ()
        self._scheduler.do_beside(pods.prepull(image, tasks))
        return (f"image '{image}' is being pulled on the nodes where its tasks may run",)
