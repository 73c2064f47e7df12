"""An executor without processes: scripts play the agents, through the same report function."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from leoflow_agent import exitcode
from leoflow_agent.wire import PROTOCOL, Acknowledgement, Event, Report

from leoflow_controlplane.api import Desk
from leoflow_controlplane.error import Stale, Unauthorized
from leoflow_controlplane.executor.protocol import Ended, Launch, Site
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.verdict import Exit


class FakeAgent:
    """Numbers events and reports them as an agent does; ``told_to_stop`` is its SIGTERM."""

    def __init__(self, desk: Desk, launch: Launch) -> None:
        self.launch = launch
        self.told_to_stop = asyncio.Event()
        self.events: list[Event] = []
        self._desk = desk

    def add(self, kind: str, **fields: Any) -> Event:
        """Number an event without sending it."""
        event = {"seq": len(self.events) + 1, "at": time.time(), "type": kind, **fields}
        self.events.append(cast(Event, event))
        return self.events[-1]

    async def send(self, events: list[Event], nonce: str = "fake") -> Acknowledgement:
        """Report ``events`` as they are; raises what the control plane answers with."""
        report = Report(protocol=PROTOCOL, nonce=nonce, events=events)
        return await self._desk.take_report(self.launch.workload["token"], report)

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


class FakeExecutor:
    """Plays ``script`` for each try. ``started`` lists all that ever was, in order."""

    endpoint = "unix:/nowhere"
    ca = None

    def __init__(self, desk: Desk, script: Script = succeed) -> None:
        self.started: list[Launch] = []
        self.removed: list[TryKey] = []
        self.tails: dict[TryKey, str] = {}
        self.left: dict[TryKey, bytes] = {}
        self.running = 0
        self.most_running = 0
        self._desk = desk
        self._script = script
        self._plays: dict[TryKey, tuple[FakeAgent, asyncio.Task[None]]] = {}
        self._ended: asyncio.Queue[Ended] = asyncio.Queue()

    async def start(self, launch: Launch) -> dict[str, float]:
        """Begin to play a try."""
        self.started.append(launch)
        agent = FakeAgent(self._desk, launch)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self._plays[launch.key] = (agent, asyncio.create_task(self._play(agent)))
        return {"created": time.time()}

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Tell the script; cancel it after the grace."""
        if key not in self._plays:
            return
        agent, play = self._plays[key]
        agent.told_to_stop.set()
        asyncio.get_running_loop().call_later(grace_seconds, play.cancel)

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
        self._plays.pop(key, None)
        self.removed.append(key)

    async def sweep(self) -> list[str]:
        """Scripts end with their process."""
        return []

    async def close(self) -> None:
        """Cancel all scripts."""
        plays = [play for _, play in self._plays.values()]
        for play in plays:
            play.cancel()
        await asyncio.gather(*plays, return_exceptions=True)
        self._plays.clear()

    async def _play(self, agent: FakeAgent) -> None:
        started_at = time.time()
        try:
            exit = await self._script(agent)
        except asyncio.CancelledError:
            exit = Exit(exitcode.SIGNAL_BASE + 9)
        except (Stale, Unauthorized):
            exit = Exit(exitcode.TERMINATED)
        self.running -= 1
        self._ended.put_nowait(Ended(agent.launch.key, exit, started_at, time.time()))


def fake_executor(
    script: Script = succeed,
) -> Callable[[Site], Awaitable[FakeExecutor]]:
    """Give the factory of a FakeExecutor that plays ``script``."""

    async def make(site: Site) -> FakeExecutor:
        return FakeExecutor(site.desk, script)

    return make
