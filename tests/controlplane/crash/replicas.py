"""Keeps two servers on one PostgreSQL, each of which dies while it leads: see `main`.

They are whole servers with the ports and the forwarding that people use; only their containers are
in the `world`. As in ``launcher`` they are forks of this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import httpx
from asking import ask_world, free_port
from behaviour import make_crash_dag
from fatal import Fate, meet_as_leader
from launcher import OVER, SETTINGS
from leoflow_agent.spec import BuiltDag, ImageRef
from leoflow_controlplane.auth.token import hash_token
from leoflow_controlplane.database.migration import prepare
from leoflow_controlplane.database.place import find_place
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.server.serving import Server
from leoflow_controlplane.serversetting import read_server_settings
from leoflow_controlplane.store.token import add_token
from pydantic import TypeAdapter
from worldexecutor import WorldExecutor

PATIENCE_SECONDS = 30.0
TOKEN = "driver"
SECRET_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Replica:
    """One of the servers, started again after each of its deaths on the same port and home."""

    def __init__(self, folder: Path, url: str) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.pid = 0
        self._home = folder / str(self.port)
        self._home.mkdir()
        self._url = url

    def start(self, world: Path, endpoint: str, fate: Fate) -> None:
        """Fork a server that will meet ``fate`` if it comes to lead."""
        self.pid = os.fork()
        if self.pid:
            return
        try:
            meet_as_leader(fate)
            asyncio.run(self._serve(world, endpoint))
        except BaseException as error:
            sys.stderr.write(f"{fate}: {type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(OVER)

    async def _serve(self, world: Path, endpoint: str) -> None:
        async def make(_: Site) -> WorldExecutor:
            executor = WorldExecutor(world, endpoint)
            await executor.open()
            return executor

        flags = {"port": self.port, "database_url": self._url}
        settings = read_server_settings(self._home, flags, {"LEOFLOW_SECRET_KEY": SECRET_KEY})
        server = Server(replace(settings, limits=SETTINGS), lambda _: None, factory=make)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        await server.run()


class Driver:
    """Starts runs and looks at them through any replica, whoever leads."""

    def __init__(self, replicas: list[Replica], lot: random.Random) -> None:
        self._replicas = replicas
        self._lot = lot
        self._client = httpx.Client(timeout=5, headers={"Authorization": f"Bearer {TOKEN}"})

    def push(self) -> None:
        """Make the DAG known."""
        built = BuiltDag(make_crash_dag(), ImageRef("image", None, "linux/amd64"))
        self.insist(
            "POST", "/dags", TypeAdapter(BuiltDag).dump_python(built, mode="json"), {200, 201}
        )

    def trigger(self, run_id: str) -> None:
        """Begin a run; that it is there already tells of an answer that did not arrive."""
        self.insist("POST", "/dags/crash/dagRuns", {"dag_run_id": run_id}, {200, 409})

    def is_over(self, run_id: str) -> bool:
        """Tell whether a run is over; False if nobody says."""
        with suppress(httpx.HTTPError):
            answer = self._ask("GET", f"/dags/crash/dagRuns/{run_id}", None)
            return answer.status_code == 200 and answer.json()["state"] in ("success", "failed")
        return False

    def insist(self, method: str, path: str, body: object, wanted: set[int]) -> None:
        """Ask one or the other until it is done."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(httpx.HTTPError):
                answer = self._ask(method, path, body)
                if answer.status_code in wanted:
                    return
                if answer.status_code != 503:
                    raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
            if time.monotonic() > until:
                raise SystemExit(f"{method} {path} was not answered")
            time.sleep(0.02)

    def _ask(self, method: str, path: str, body: object) -> httpx.Response:
        address = self._lot.choice(self._replicas).address
        return self._client.request(method, f"{address}/api/v2{path}", json=body)


class Play:
    """Replicas that die until there were enough deaths."""

    def __init__(self, replicas: list[Replica], world: Path, lot: random.Random) -> None:
        self.killed = 0
        self._replicas = replicas
        self._world = world
        self._lot = lot
        self._endpoint = "|".join(replica.address for replica in replicas)

    def begin(self, kills: int) -> None:
        """Start all of them."""
        self._kills = kills
        for replica in self._replicas:
            self._start(replica)

    def tend(self) -> None:
        """Start those again that died."""
        for replica in self._replicas:
            pid, status = os.waitpid(replica.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                if code != -signal.SIGKILL:
                    raise SystemExit(f"a server failed with exit code {code}")
                self.killed += 1
                self._start(replica)

    def go_on_until(self, is_done: Callable[[], bool]) -> None:
        """Let them live and die until something is done."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not is_done():
            self.tend()
            if time.monotonic() > until:
                raise SystemExit(f"{is_done} waits for ever")
            time.sleep(0.02)

    def end(self) -> None:
        """Stop all of them in order."""
        for replica in self._replicas:
            # One whose time had come before enough were dead may die even now.
            os.kill(replica.pid, signal.SIGTERM)
        for replica in self._replicas:
            code = os.waitstatus_to_exitcode(os.waitpid(replica.pid, 0)[1])
            if code not in (OVER, -signal.SIGKILL):
                raise SystemExit(f"a server ended with exit code {code}")

    def _start(self, replica: Replica) -> None:
        # Both may die when one more death is wanted.
        fate = Fate()
        if self.killed < self._kills:
            choices = (
                Fate("before", self._lot.randint(2, 40)),
                Fate("after", self._lot.randint(1, 40)),
            )
            fate = self._lot.choice([*choices, Fate("time", self._lot.uniform(0.02, 0.5))])
        replica.start(self._world, self._endpoint, fate)


def admit_driver(url: str) -> None:
    """Make the tables, and a token."""
    place = find_place(url)
    engine = place.writing()
    prepare(engine, place)
    with engine.begin() as connection:
        add_token(connection, "driver", "admin", hash_token(TOKEN), time.time(), None)
    engine.dispose()


def main(url: str, folder: str, world: str, seed: str, kills: str) -> None:
    """Let servers die as often as asked for, run after run; tell how often and of how many runs."""
    lot = random.Random(int(seed))
    admit_driver(url)
    replicas = [Replica(Path(folder), url) for _ in range(2)]
    play, driver, number = Play(replicas, Path(world), lot), Driver(replicas, lot), 0
    play.begin(int(kills))
    driver.push()
    while play.killed < int(kills):
        number += 1
        driver.trigger(f"run-{number}")
        play.go_on_until(partial(driver.is_over, f"run-{number}"))
    # Containers go after the verdict on them.
    play.go_on_until(lambda: not ask_world(Path(world))["there"])
    play.end()
    print(json.dumps({"killed": play.killed, "runs": number}))


if __name__ == "__main__":
    main(*sys.argv[1:])
