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
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from asking import ask_world
from driver import PATIENCE_SECONDS, Driver, admit_driver
from fatal import Fate, meet_as_leader
from freeport import free_port
from launcher import OVER
from replica import serve


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
            place = (self._url, str(self._home), str(self.port))
            asyncio.run(serve(*place, str(world), endpoint))
        except BaseException as error:
            sys.stderr.write(f"{fate}: {type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(OVER)


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
            os.kill(replica.pid, signal.SIGTERM)
        for replica in self._replicas:
            code = os.waitstatus_to_exitcode(os.waitpid(replica.pid, 0)[1])
            # One whose time had come before enough were dead may die even now, and one that was
            # only just started knows no signal yet.
            if code not in (OVER, -signal.SIGKILL, -signal.SIGTERM):
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


def main(url: str, folder: str, world: str, seed: str, kills: str) -> None:
    """Let servers die as often as asked for, run after run; tell how often and of how many runs."""
    lot = random.Random(int(seed))
    admit_driver(url)
    replicas = [Replica(Path(folder), url) for _ in range(2)]
    play, number = Play(replicas, Path(world), lot), 0
    # All of them may die before one of them answers.
    driver = Driver([replica.address for replica in replicas], lot, meanwhile=play.tend)
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
