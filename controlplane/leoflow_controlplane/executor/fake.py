"""An executor without processes: scripts play the agents, through the same report function."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any, cast

from leoflow_agent import exitcode
from leoflow_agent.wire import PROTOCOL, Acknowledgement, Event, Report

from leoflow_controlplane.api import Desk
from leoflow_controlplane.error import Stale, Unauthorized
from leoflow_controlplane.executor.protocol import Ended, Figures, PodChecker, Site
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.verdict import Exit


class FakeAgent:
    """Numbers events and reports them as an agent does; ``told_to_stop`` is its SIGTERM."""

    def __init__(self, desk: Desk, launch: Launch) -> None:
        self._desk = desk
        self.launch = launch
        self.told_to_stop = asyncio.Event()
        self.events: list[Event] = []

    def add(self, kind: str, **fields: Any) -> Event:
        """Number an event without sending it."""
        event = {"seq": len(self.events) + 1, "at": time.time(), "type": kind, **fields}
        self.events.append(cast(Event, event))
        return self.events[-1]

    async def send(self, events: list[Event], nonce: str = "fake") -> Acknowledgement:
        """Report ``events`` as they are; raises what the control plane answers with."""
        report = Report(protocol=PROTOCOL, nonce=nonce, events=events)
        return await self._desk.take_report(self.launch.workload["token"], report)

    def turn_to(self, desk: Desk) -> None:
        """Report to another control plane from now on."""
        self._desk = desk

    async def start(self) -> None:
        """Report what an agent reports before user code."""
        now = time.time()
        started = self.add("started", agent_up=now)
        await self.send([started, self.add("entered", import_started=now, entered=now)])

    async def finish(
        self, state: str = "success", value: Any = None, reason: str | None = None
    ) -> int:
        """Report the end, the value first; return the exit code that belongs to it."""
        code = {"success": exitcode.SUCCESS, "skipped": exitcode.SKIPPED}.get(state, 1)
        events = [] if value is None else [self.add("xcom", key="return_value", value=value)]
        events.append(
            self.add("finished", state=state, reason=reason, exit_code=code, left=time.time())
        )
        await self.send(events)
        return code


Script = Callable[[FakeAgent], Awaitable[Exit]]


async def succeed(agent: FakeAgent) -> Exit:
    """Play a task that returns its own task_id."""
    await agent.start()
    return Exit(await agent.finish(value=agent.launch.key.task_id))


@dataclass
class Play:
    """One try on a FakeMachine. ``ended`` is set once it has ended."""

    agent: FakeAgent
    task: asyncio.Task[None] | None = None
    ended: Ended | None = None


@dataclass
class FakeMachine:
    """What outlives a FakeExecutor that leaves its tries running: hand it to the next one."""

    plays: dict[TryKey, Play] = field(default_factory=dict)
    staging: set[RunKey] = field(default_factory=set)
    tails: dict[TryKey, str] = field(default_factory=dict)
    left: dict[TryKey, bytes] = field(default_factory=dict)


class FakeExecutor:
    """Plays ``script`` for each try. ``started`` lists all that ever was, in order."""

    endpoint = "unix:/nowhere"
    ca = None
    trouble: str | None = None
    pods: PodChecker | None = None

    def __init__(
        self, desk: Desk, script: Script = succeed, machine: FakeMachine | None = None
    ) -> None:
        self.figures = Figures()
        self.started: list[Launch] = []
        self.removed: list[TryKey] = []
        self.machine = machine or FakeMachine()
        self.tails = self.machine.tails
        self.left = self.machine.left
        self._desk = desk
        self._script = script
        self._ours: set[TryKey] = set()
        self._ended: asyncio.Queue[Ended] = asyncio.Queue()

    @property
    def running(self) -> int:
        """How many tries have been started and not ended."""
        return self.figures.running

    async def start(self, launch: Launch) -> dict[str, float]:
        """Begin to play a try, unless it is played already."""
        if launch.key in self.machine.plays:
            self._take_over(launch.key)
            return {}
        self.started.append(launch)
        self.figures.started += 1
        if launch.staging_bytes is not None:
            self.machine.staging.add(launch.key.run)
        play = self.machine.plays[launch.key] = Play(FakeAgent(self._desk, launch))
        self._begin(launch.key)
        play.task = asyncio.create_task(self._play(play))
        return {"created": time.time()}

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Tell the script; cancel it after the grace."""
        play = self.machine.plays.get(key)
        if play is None or play.task is None:
            return
        play.agent.told_to_stop.set()
        asyncio.get_running_loop().call_later(grace_seconds, play.task.cancel)

    async def ended(self) -> Ended:
        """Wait for the next script that ended."""
        return await self._ended.get()

    async def log_tail(self, key: TryKey) -> str | None:
        """Give what a script may have left."""
        return self.tails.get(key)

    async def left_verdict(self, key: TryKey) -> bytes | None:
        """Give the verdict that a script may have left."""
        return self.left.get(key)

    async def remove(self, key: TryKey) -> None:
        """Forget a try."""
        self.left.pop(key, None)
        self.machine.plays.pop(key, None)
        self._ours.discard(key)
        self.removed.append(key)

    async def end_run(self, run: RunKey) -> None:
        """Forget the folder of a run."""
        self.machine.staging.discard(run)

    async def adopt(self, wanted: Collection[TryKey], runs: Collection[RunKey]) -> set[TryKey]:
        """Take over the plays of an executor that left them running."""
        left = set(self.machine.plays) - self._ours
        for key in left & set(wanted):
            self._take_over(key)
        for key in left - set(wanted):
            play = self.machine.plays.pop(key)
            if play.task is not None:
                play.task.cancel()
        self.machine.staging &= set(runs)
        return left & set(wanted)

    async def sweep(self) -> list[str]:
        """Scripts end with their process."""
        return []

    async def close(self, leave_running: bool = False) -> None:
        """Cancel all scripts, or leave them on the machine."""
        if leave_running:
            self._ours.clear()
            return
        tasks = [play.task for play in self.machine.plays.values() if play.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.machine.plays.clear()
        self.machine.staging.clear()

    def _begin(self, key: TryKey) -> None:
        self._ours.add(key)
        self.figures.running += 1

    def _take_over(self, key: TryKey) -> None:
        if key in self._ours:
            return
        play = self.machine.plays[key]
        play.agent.turn_to(self._desk)
        self.figures.adopted += 1
        self._begin(key)
        if play.ended is not None:
            self._tell(play)
        elif play.task is not None:
            play.task.add_done_callback(lambda _: self._tell(play))

    async def _play(self, play: Play) -> None:
        started_at = time.time()
        try:
            exit = await self._script(play.agent)
        except asyncio.CancelledError:
            exit = Exit(exitcode.SIGNAL_BASE + 9)
        except (Stale, Unauthorized):
            exit = Exit(exitcode.TERMINATED)
        play.ended = Ended(play.agent.launch.key, exit, started_at, time.time())
        self._tell(play)

    def _tell(self, play: Play) -> None:
        if play.ended is not None and play.ended.key in self._ours:
            self.figures.running -= 1
            self._ended.put_nowait(play.ended)


def fake_executor(
    script: Script = succeed, machine: FakeMachine | None = None
) -> Callable[[Site], Awaitable[FakeExecutor]]:
    """Give the factory of a FakeExecutor that plays ``script``."""

    async def make(site: Site) -> FakeExecutor:
        return FakeExecutor(site.desk, script, machine)

    return make
