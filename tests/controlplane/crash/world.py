"""The world outside of a control plane that is killed: containers that live on and report.

A process of its own: SOCKET. Remembers all that was ever created, so that a test can tell whether
anything was started twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parent))

from behaviour import LINES, behaviour_of, value_of
from leoflow_agent import exitcode
from leoflow_agent.wire import EVENTS_PATH, INPUTS_PATH, PROTOCOL

Name = tuple[Any, ...]


@dataclass
class Container:
    """One try's container; ``exit_code`` is set when it has ended."""

    key: list[Any]
    workload: dict[str, Any]
    started_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    exit_code: int | None = None


class World:
    """All containers, by the key of their try."""

    def __init__(self) -> None:
        self.containers: dict[Name, Container] = {}
        self.created: Counter[Name] = Counter()
        self.refused: list[str] = []
        self._plays: set[asyncio.Task[None]] = set()
        self._listeners: set[asyncio.StreamWriter] = set()
        self._client = httpx.AsyncClient(timeout=20)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, a line of JSON each."""
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                request = json.loads(line)
                if request["op"] == "listen":
                    self._listen(writer)
                else:
                    answer = getattr(self, f"_{request.pop('op')}")(**request)
                    writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        self._listeners.discard(writer)
        writer.close()

    def _start(self, key: list[Any], workload: dict[str, Any]) -> float:
        name = tuple(key)
        if name not in self.containers:
            self.created[name] += 1
            self.containers[name] = Container(key, workload)
            play = asyncio.create_task(self._play(self.containers[name]))
            self._plays.add(play)
            play.add_done_callback(self._plays.discard)
        return self.containers[name].started_at

    def _list(self) -> list[list[Any]]:
        return [container.key for container in self.containers.values()]

    def _remove(self, key: list[Any]) -> None:
        self.containers.pop(tuple(key), None)

    def _tell(self) -> dict[str, Any]:
        return {
            "created": [[*name, count] for name, count in self.created.items()],
            "there": self._list(),
            "refused": self.refused,
        }

    def _listen(self, writer: asyncio.StreamWriter) -> None:
        self._listeners.add(writer)
        for container in self.containers.values():
            if container.exit_code is not None:
                writer.write(_end(container))

    async def _play(self, container: Container) -> None:
        task_id, try_number = container.key[2], container.key[4]
        behaviour = behaviour_of(task_id, try_number)
        agent = _Agent(self._client, container.workload)
        await asyncio.sleep(behaviour.seconds)
        try:
            await agent.report(_event("started", agent_up=time.time()))
            if behaviour.dies:
                return self._finish(container, 137)
            lines = [_event("log", stream="stdout", text=f"line {n}\n") for n in range(LINES)]
            await agent.report(*lines[:1])
            value = value_of(task_id, await agent.inputs())
            state, code = ("failed", 1) if behaviour.fails else ("success", 0)
            await agent.report(
                *lines[1:],
                _event("xcom", key="return_value", value=value),
                _event("finished", state=state, reason=None, exit_code=code, left=time.time()),
            )
        except _Refused as refused:
            self.refused.append(f"{container.key}: {refused}")
            code = exitcode.TERMINATED
        except Exception as error:
            # A container that never ends would only tell that nothing goes on.
            self.refused.append(f"{container.key}: {type(error).__name__}: {error}")
            code = exitcode.AGENT_FAILED
        return self._finish(container, code)

    def _finish(self, container: Container, code: int) -> None:
        container.exit_code, container.ended_at = code, time.time()
        for writer in self._listeners:
            writer.write(_end(container))


class _Refused(Exception):
    pass


class _Agent:
    """Reports until it is heard, as the real one does. Where the endpoint is of several replicas,
    it goes to the next one each time, as through a proxy."""

    def __init__(self, client: httpx.AsyncClient, workload: dict[str, Any]) -> None:
        self._client = client
        self._workload = workload
        self._token = workload["token"]
        self._seq = 0

    async def report(self, *events: dict[str, Any]) -> None:
        numbered = []
        for event in events:
            self._seq += 1
            numbered.append({"seq": self._seq, **event})
        body = {"protocol": PROTOCOL, "nonce": "world", "events": numbered}
        answer = await self._ask("POST", EVENTS_PATH, json=body)
        self._token = answer.get("token") or self._token
        if answer["ack"] < self._seq:
            raise _Refused(f"acknowledged {answer['ack']} of {self._seq}")

    async def inputs(self) -> list[Any]:
        given = self._workload["inputs"] or await self._ask("GET", INPUTS_PATH)
        return [*given["args"], *given["kwargs"].values()]

    async def _ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        endpoints = self._workload["endpoint"].split("|")
        while True:
            endpoints.append(endpoints.pop(0))
            url = endpoints[-1] + path
            headers = {"Authorization": f"Bearer {self._token}"}
            try:
                answer = await self._client.request(method, url, headers=headers, **body)
            except httpx.HTTPError:
                await asyncio.sleep(0.02)
                continue
            if answer.status_code == 200:
                return dict(answer.json())
            if answer.status_code != 503:
                raise _Refused(f"{answer.status_code} {answer.text}")
            await asyncio.sleep(0.02)


def _event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"at": time.time(), "type": kind, **fields}


def _end(container: Container) -> bytes:
    end = {
        "key": container.key,
        "code": container.exit_code,
        "started_at": container.started_at,
        "ended_at": container.ended_at,
    }
    return json.dumps(end).encode() + b"\n"


async def main(path: str) -> None:
    """Serve until killed."""
    world = World()
    server = await asyncio.start_unix_server(world.serve, path, limit=2**24)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
