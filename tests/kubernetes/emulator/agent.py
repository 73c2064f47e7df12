"""Agents that nothing is behind: they report over HTTP what their task's name says they do.

A task_id begins with ``ok`` (succeeds), ``flaky`` (its first try fails), ``bad`` (fails),
``mute`` (ends with 0 and never reports the end), ``dies`` (its first try is killed without a
word). A report is sent until it is taken, as the real agent's.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import aiohttp
from leoflow_agent import exitcode
from leoflow_agent.wire import EVENTS_PATH, PROTOCOL

from emulator.podstatus import Outcome
from emulator.runtime import SIGKILL_CODE, variables_of
from emulator.store import Object

AGAIN_SECONDS = 0.1
LAST_ATTEMPT_SECONDS = 2.0


class AgentRuntime:
    """Plays the agents of Pods. ``refused`` counts answers that no agent of a living try gets."""

    def __init__(self, seed: int, longest_seconds: float) -> None:
        self.refused: Counter[str] = Counter()
        self.lot = random.Random(seed)
        self.longest_seconds = longest_seconds
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """What all agents send through."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=200)
            timeout = aiohttp.ClientTimeout(total=30)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session

    async def start(self, pod: Object) -> PlayedAgent:
        """Start the agent of a Pod."""
        return PlayedAgent(self, json.loads(variables_of(pod)["LEOFLOW_WORKLOAD"]))

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()


class PlayedAgent:
    """One agent: a container that is a task of this loop."""

    def __init__(self, runtime: AgentRuntime, workload: dict[str, Any]) -> None:
        self._runtime = runtime
        self._workload = workload
        self._token = workload["token"]
        self._seq = 0
        self._killed = self._over = False
        self._play = asyncio.create_task(self._live())

    async def ended(self) -> Outcome:
        """Wait for the agent's end."""
        await asyncio.wait([self._play])
        return Outcome(SIGKILL_CODE if self._play.cancelled() else self._play.result())

    async def signal(self, name: str) -> None:
        """End it: told to, it reports that it was; killed, what it knows is lost with it."""
        if name == "SIGKILL":
            self._killed = True
        self._play.cancel()

    async def log(self) -> bytes:
        """It writes nothing."""
        return b""

    async def remove(self) -> None:
        """End it."""
        await self.signal("SIGKILL")
        await asyncio.wait([self._play])

    async def _live(self) -> int:
        context = self._workload["context"]
        kind, first = context["task_id"].partition("-")[0], context["try_number"] == 1
        try:
            now = time.time()
            await self._report(
                {"type": "started", "agent_up": now},
                {"type": "entered", "import_started": now, "entered": now},
            )
            await asyncio.sleep(self._runtime.lot.uniform(0, self._runtime.longest_seconds))
            if kind == "dies" and first:
                return SIGKILL_CODE
            if kind == "mute":
                return exitcode.SUCCESS
            fails = kind == "bad" or (kind == "flaky" and first)
            code = 1 if fails else exitcode.SUCCESS
            ending = {"state": "failed" if fails else "success", "exit_code": code}
            reason = "it was told to fail" if fails else None
            await self._report(
                {"type": "finished", "reason": reason, "left": time.time(), **ending}
            )
            return code
        except asyncio.CancelledError:
            if self._killed or self._over:
                raise
            return await self._leave()
        except _Refused as refused:
            self._runtime.refused[str(refused)] += 1
            return exitcode.TERMINATED

    async def _leave(self) -> int:
        code = exitcode.TERMINATED
        reason = {"state": "failed", "reason": "stopped by signal 15", "exit_code": code}
        with suppress(TimeoutError, _Refused):
            async with asyncio.timeout(LAST_ATTEMPT_SECONDS):
                await self._report({"type": "finished", "left": time.time(), **reason})
        return code

    async def _report(self, *events: dict[str, Any]) -> None:
        numbered = []
        for event in events:
            self._seq += 1
            numbered.append({"seq": self._seq, "at": time.time(), **event})
        report = {"protocol": PROTOCOL, "nonce": "emulated", "events": numbered}
        url = self._workload["endpoint"] + EVENTS_PATH
        while True:
            headers = {"Authorization": f"Bearer {self._token}"}
            try:
                async with self._runtime.session.post(url, json=report, headers=headers) as answer:
                    if answer.status == 200:
                        document = await answer.json()
                        self._token = document.get("token") or self._token
                        return
                    if answer.status != 503:
                        raise _Refused(f"{answer.status} {await answer.text()}")
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                pass
            await asyncio.sleep(AGAIN_SECONDS)


class _Refused(Exception):
    pass
