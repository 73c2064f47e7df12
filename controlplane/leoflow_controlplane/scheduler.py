"""The loop that has no tick: what happened is committed, and what follows from it starts at once.

Holds no state of its own that matters: a try's state is in the store, its process is the
executor's. Decides nothing; that is done inside the store's steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

from leoflow_agent.wire import Acknowledgement, Inputs, Pulled, Report

from leoflow_controlplane.database import Database
from leoflow_controlplane.error import ControlPlaneError, LaunchFailed, SecretMissing
from leoflow_controlplane.executor.protocol import Ended, Executor, Launch
from leoflow_controlplane.inline import InlineOutcome, InlineRunner, InlineTask
from leoflow_controlplane.model import RunKey, RunRequest, TryKey
from leoflow_controlplane.secretsource import SecretSource, find_missing, find_secrets
from leoflow_controlplane.store import step
from leoflow_controlplane.store.attempt import Policy, close_try
from leoflow_controlplane.store.progress import Progress
from leoflow_controlplane.store.report import load_inputs, load_pulled
from leoflow_controlplane.traceparent import VARIABLE as TRACEPARENT
from leoflow_controlplane.traceparent import continue_trace, read_traceparent
from leoflow_controlplane.verdict import Verdict
from leoflow_controlplane.workload import Dispatch, make_workload

FIRST_PAUSE_SECONDS = 0.5

logger = logging.getLogger("leoflow.scheduler")


class Bell:
    """Wakes everyone who waits. Take `ring_of` before looking, so that no ring is missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def next_ring(self) -> asyncio.Event:
        """Return what the next ring sets."""
        return self._event

    def ring(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()


class Scheduler:
    """Brings reports, ends and due instants to the store, and starts what comes out.

    ``bell`` rings after every change. ``failure`` is what ended the scheduler, if anything did.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        secrets: SecretSource,
        clock: Callable[[], float],
    ) -> None:
        self.bell = Bell()
        self.failure: BaseException | None = None
        self._database = database
        self._policy = policy
        self._secrets = secrets
        self._clock = clock
        self._inline = InlineRunner(policy.settings)
        self._executor: Executor | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: dict[TryKey, asyncio.Task[None]] = {}
        self._traces: dict[RunKey, str] = {}
        self._created: dict[TryKey, dict[str, float]] = {}
        self._launching: set[TryKey] = set()
        self._unwanted: set[TryKey] = set()
        self._due: float | None = None
        self._due_changed = asyncio.Event()

    def start(self, executor: Executor) -> None:
        """Begin to listen to ``executor`` and to the clock."""
        self._executor = executor
        self._spawn(self._take_ends(executor))
        self._spawn(self._keep_time())

    async def submit(self, request: RunRequest, key: RunKey) -> None:
        """Write a run down and start what may start."""
        trace = read_traceparent(request.traceparent)
        if trace is not None:
            self._traces[key] = trace
        self._follow(
            await self._database.run(step.submit, self._policy, request, key, self._clock())
        )

    async def take_report(self, token: str, report: Report) -> Acknowledgement:
        """Make a report durable and start what follows; raises Unauthorized and Stale."""
        recorded, progress = await self._database.run(
            step.take_report, self._policy, token, report, self._clock()
        )
        self._follow(progress)
        return recorded.acknowledgement

    async def give_inputs(self, token: str) -> Inputs:
        """Look up the inputs of a try and what it declares; raises Unauthorized, Stale and
        SecretMissing."""
        task, inputs = await self._database.run(load_inputs, token)
        if missing := find_missing(task, self._secrets):
            raise SecretMissing("\n".join(missing))
        variables = {**inputs["environment"], **find_secrets(task, self._secrets)}
        return Inputs({**inputs, "environment": variables})

    async def give_xcom(self, token: str, task_id: str, key: str, map_index: int) -> Pulled:
        """Look up what a task of the try's run left; raises Unauthorized and Stale."""
        return await self._database.run(load_pulled, token, task_id, key, map_index)

    async def cancel(self, key: RunKey) -> None:
        """Cancel a run; its end is seen by whoever watches it."""
        stops, progress = await self._database.run(step.cancel, self._policy, key, self._clock())
        self._follow(progress)
        self._stop_all(stops)

    async def close(self) -> None:
        """Stop listening; what runs is the executor's to end."""
        tasks = [*self._tasks, *self._calls.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._inline.close()

    def _follow(self, progress: Progress | None) -> None:
        if progress is not None:
            for dispatch in progress.dispatches:
                self._dispatch(dispatch)
            self._note_due(progress.next_due)
        self.bell.ring()

    def _dispatch(self, dispatch: Dispatch) -> None:
        if not dispatch.inline:
            self._launching.add(dispatch.key)
            self._spawn(self._launch(dispatch))
            return
        call = self._spawn(self._call(dispatch))
        self._calls[dispatch.key] = call
        call.add_done_callback(lambda _: self._calls.pop(dispatch.key, None))

    async def _launch(self, dispatch: Dispatch) -> None:
        assert self._executor is not None
        key, attempts = dispatch.key, self._policy.settings.launch_attempts
        for attempt in range(1, attempts + 1):
            try:
                launch = self._prepare(dispatch, self._executor)
                self._created[key] = dict(await self._executor.start(launch))
                break
            except LaunchFailed as error:
                if not error.transient or attempt == attempts or key in self._unwanted:
                    await self._fail_launch(key, error.reason)
                    break
                logger.warning("try %s is not started yet: %s", key, error.reason)
                await asyncio.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        self._launching.discard(key)
        if key in self._unwanted:
            self._unwanted.discard(key)
            await self._executor.stop(key, 0)

    def _prepare(self, dispatch: Dispatch, executor: Executor) -> Launch:
        if missing := find_missing(dispatch.task, self._secrets):
            raise LaunchFailed("\n".join(missing), transient=False)
        artifacts = None if dispatch.artifacts is None else Path(dispatch.artifacts)
        if artifacts is not None:
            _make_artifacts_folder(artifacts)
        return Launch(
            key=dispatch.key,
            image=dispatch.image,
            workload=make_workload(dispatch, executor.endpoint, self._policy.settings, executor.ca),
            task=dispatch.task,
            environment=self._environment(dispatch),
            artifacts=artifacts,
            staging_bytes=dispatch.dag.staging_bytes,
            say=lambda text: self._say(dispatch.key, text),
        )

    def _environment(self, dispatch: Dispatch) -> Mapping[str, str]:
        trace = self._traces.get(dispatch.key.run)
        if trace is None:
            return dispatch.dag.environment
        return {**dispatch.dag.environment, TRACEPARENT: continue_trace(trace, dispatch.key)}

    def _say(self, key: TryKey, text: str) -> None:
        line = self._database.run(step.log_inline, key, text + "\n", self._clock())
        self._spawn(_finish(line)).add_done_callback(lambda _: self.bell.ring())

    async def _fail_launch(self, key: TryKey, reason: str) -> None:
        now = self._clock()
        self._follow(await self._database.run(step.fail_launch, self._policy, key, reason, now))

    async def _call(self, dispatch: Dispatch) -> None:
        written = [
            asyncio.create_task(self._database.run(step.begin_inline, dispatch.key, self._clock()))
        ]

        def say(text: str) -> None:
            line = self._database.run(step.log_inline, dispatch.key, text + "\n", self._clock())
            written.append(asyncio.create_task(line))
            written[-1].add_done_callback(lambda _: self.bell.ring())

        try:
            outcome = await self._answer(dispatch, say)
        finally:
            await asyncio.gather(*written)
        end = (outcome.verdict, outcome.value, self._clock())
        now = self._clock()
        self._follow(
            await self._database.run(step.end_inline, self._policy, dispatch.key, end, now)
        )

    async def _answer(self, dispatch: Dispatch, say: Callable[[str], None]) -> InlineOutcome:
        if missing := find_missing(dispatch.task, self._secrets):
            return InlineOutcome(Verdict("failed", "\n".join(missing), retryable=False))
        request = dispatch.inputs["request"]
        assert request is not None
        secrets = find_secrets(dispatch.task, self._secrets)
        environment = {**dispatch.dag.environment, **dispatch.inputs["environment"], **secrets}
        return await self._inline.run(InlineTask(dispatch.task, request, environment, say))

    async def _take_ends(self, executor: Executor) -> None:
        while True:
            self._spawn(self._close_try(executor, await executor.ended()))

    async def _close_try(self, executor: Executor, ended: Ended) -> None:
        key = ended.key
        instants = self._created.pop(key, {})
        instants |= {"started": ended.started_at} if ended.started_at else {}
        instants |= {"ended": ended.ended_at} if ended.ended_at else {}
        lacks_verdict = await self._database.run(
            close_try, key, ended.exit, instants, self._clock()
        )
        self.bell.ring()
        if lacks_verdict:
            # Its last report may have been sent and not be read yet.
            await asyncio.sleep(self._policy.settings.settle_seconds)
            end = (ended.exit, await executor.log_tail(key), await executor.left_verdict(key))
            self._follow(
                await self._database.run(step.settle, self._policy, key, end, self._clock())
            )
        await executor.remove(key)

    async def _keep_time(self) -> None:
        while True:
            self._due_changed.clear()
            wait = None if self._due is None else max(0.0, self._due - self._clock())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due_changed.wait(), wait)
            if self._due is not None and self._due <= self._clock():
                self._due = None
                stops, progress, _ = await self._database.run(
                    step.come_due, self._policy, self._clock()
                )
                self._follow(progress)
                self._stop_all(stops)

    def _note_due(self, due: float | None) -> None:
        # Waking too early costs one look; an instant is forgotten only by looking.
        if due is not None and (self._due is None or due < self._due):
            self._due = due
            self._due_changed.set()

    def _stop_all(self, stops: Iterable[step.Stop]) -> None:
        for stop in stops:
            self._spawn(self._stop(stop))

    async def _stop(self, stop: step.Stop) -> None:
        assert self._executor is not None
        call = self._calls.get(stop.key)
        if call is not None:
            call.cancel()
            await asyncio.wait({call})
            await self._fail_launch(stop.key, "stopped")
        elif stop.key in self._launching:
            self._unwanted.add(stop.key)
            # Its image may still be being pulled.
            await self._executor.stop(stop.key, 0)
        else:
            await self._executor.stop(stop.key, stop.grace_seconds)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and self.failure is None:
            self.failure = task.exception()
            if not isinstance(self.failure, ControlPlaneError):
                logger.error("the scheduler cannot go on", exc_info=self.failure)
            self.bell.ring()


async def _finish(work: Awaitable[Any]) -> None:
    await work


def _make_artifacts_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # The container's user is not ours; the home above keeps others of this machine out.
    folder.chmod(0o777)


def wall_clock() -> float:
    """Give the seconds since the epoch."""
    return time.time()
