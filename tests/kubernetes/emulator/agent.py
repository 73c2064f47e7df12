"""Agents that nothing is behind: they report over HTTP what their task's name says they do.

A task_id begins with ``ok`` (succeeds), ``flaky`` (its first try fails), ``bad`` (fails),
``mute`` (ends with 0 and never reports the end), ``dies`` (its first try is killed without a
word). As of the real agent, what is reported is sent until it is taken, and a task that lacks its
inputs begins with them, which are asked for once it is acknowledged that the agent has started.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import Counter
from contextlib import suppress
from typing import Any

import aiohttp
from leoflow_agent import exitcode
from leoflow_agent.inquiry import INPUTS_PATH
from leoflow_agent.wire import EVENTS_PATH, PROTOCOL

from emulator.podstatus import Outcome
from emulator.runtime import SIGKILL_CODE, variables_of
from emulator.store import Object

AGAIN_SECONDS = 0.1
LAST_ATTEMPT_SECONDS = 2.0
# Of all refusals, which are final, these are none.
TRY_LATER = (408, 425, 429)


class AgentRuntime:
    """Plays the agents of Pods. ``begun`` counts how often the task of each Pod's name has begun,
    ``refused`` answers that no agent of a living try gets."""

    def __init__(self, seed: int, longest_seconds: float) -> None:
        self.begun: Counter[str] = Counter()
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
        workload = json.loads(variables_of(pod)["LEOFLOW_WORKLOAD"])
        return PlayedAgent(self, pod["metadata"]["name"], workload)

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()


class PlayedAgent:
    """One agent: a container that is a task of this loop."""

    def __init__(self, runtime: AgentRuntime, name: str, workload: dict[str, Any]) -> None:
        self._runtime = runtime
        self._name = name
        self._workload = workload
        self._token = workload["token"]
        self._nonce = uuid.uuid4().hex
        self._seq = 0
        self._unheard: list[dict[str, Any]] = []
        self._killed = False
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
        try:
            self._note({"type": "started", "agent_up": time.time()})
            if self._workload["inputs"] is None:
                await self._report()
                await self._ask("GET", INPUTS_PATH)
            return await self._work()
        except asyncio.CancelledError:
            if self._killed:
                raise
            return await self._leave()
        except _Refused as refused:
            self._runtime.refused[str(refused)] += 1
            return exitcode.TERMINATED

    async def _work(self) -> int:
        context = self._workload["context"]
        kind, first = context["task_id"].partition("-")[0], context["try_number"] == 1
        now = time.time()
        self._runtime.begun[self._name] += 1
        await self._report({"type": "entered", "import_started": now, "entered": now})
        await asyncio.sleep(self._runtime.lot.uniform(0, self._runtime.longest_seconds))
        if kind == "dies" and first:
            return SIGKILL_CODE
        if kind == "mute":
            return exitcode.SUCCESS
        fails = kind == "bad" or (kind == "flaky" and first)
        code = 1 if fails else exitcode.SUCCESS
        ending = {"state": "failed" if fails else "success", "exit_code": code}
        reason = "it was told to fail" if fails else None
        await self._report({"type": "finished", "reason": reason, "left": time.time(), **ending})
        return code

    async def _leave(self) -> int:
        code = exitcode.TERMINATED
        reason = {"state": "failed", "reason": "stopped by signal 15", "exit_code": code}
        with suppress(TimeoutError, _Refused):
            async with asyncio.timeout(LAST_ATTEMPT_SECONDS):
                await self._report({"type": "finished", "left": time.time(), **reason})
        return code

    def _note(self, event: dict[str, Any]) -> None:
        self._seq += 1
        self._unheard.append({"seq": self._seq, "at": time.time(), **event})

    async def _report(self, *events: dict[str, Any]) -> None:
        """Tell events, and those before that nobody has acknowledged, until all are."""
        for event in events:
            self._note(event)
        while self._unheard:
            report = {"protocol": PROTOCOL, "nonce": self._nonce, "events": self._unheard}
            answer = await self._ask("POST", EVENTS_PATH, report)
            self._token = answer.get("token") or self._token
            self._unheard = [event for event in self._unheard if event["seq"] > answer["ack"]]

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask until there is an answer; raises _Refused if it is a refusal."""
        url = self._workload["endpoint"] + path
        while True:
            headers = {"Authorization": f"Bearer {self._token}"}
            call = self._runtime.session.request(method, url, json=body, headers=headers)
            with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                async with call as answer:
                    if answer.status == 200:
                        return await answer.json()
                    if 400 <= answer.status < 500 and answer.status not in TRY_LATER:
                        raise _Refused(f"{answer.status} {await answer.text()}")
            await asyncio.sleep(AGAIN_SECONDS)


class _Refused(Exception):
    pass
