"""Whatever becomes of the replica that leads, another one goes on with what it had begun."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
from asking import ask_world
from behaviour import make_crash_dag
from driver import PATIENCE_SECONDS, TOKEN, Driver, admit_driver
from ending import check
from freeport import free_port
from leoflow_controlplane.database.leadership import Leader
from leoflow_controlplane.database.postgresql import LEADING_LOCK
from postgresqlserver import PostgresqlServer

pytestmark = pytest.mark.postgresql

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
FOLDER = Path(__file__).parent
END_WRITER = f"""
SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
AND objid = {LEADING_LOCK} AND database = (
    SELECT oid FROM pg_database WHERE datname = current_database()
)
"""


class Replicas:
    """Servers on one database. ``urls`` are where each is found."""

    def __init__(self, server: PostgresqlServer, url: str, folder: Path, world: Path) -> None:
        admit_driver(url)
        self.database_url, self.world = url, world
        self._server = server
        self._database = url.partition("?")[0].rpartition("/")[2]
        ports = [free_port() for _ in range(2)]
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.processes = {}
        for port, address in zip(ports, self.urls, strict=True):
            (folder / str(port)).mkdir()
            command = [sys.executable, str(FOLDER / "replica.py"), url, str(folder / str(port))]
            command += [str(port), str(world), "|".join(self.urls)]
            self.processes[address] = subprocess.Popen(command)
        self.driver = Driver(self.urls, random.Random(1))

    def start(self) -> None:
        """Wait until all of them are there, and make the DAG known."""
        self.driver.push()
        for address in self.urls:
            self.wait_until(lambda address=address: self.answers(address))

    def leader(self) -> Leader:
        row = self._server.execute("SELECT instance_id, url, since FROM leadership", self._database)
        return Leader(*row[0])

    def other(self) -> str:
        leader = self.leader().url
        return next(address for address in self.urls if address != leader)

    def end_leaders_connection(self) -> None:
        self._server.execute(END_WRITER, self._database)

    def answers(self, address: str, path: str = "/api/v2/dags") -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(address + path, headers=HEADERS).status_code == 200
        return False

    def begin_run(self) -> None:
        """Begin the run, and return in the middle of it."""
        self.driver.trigger("run-1")
        self.wait_until(lambda: len(ask_world(self.world)["created"]) > 8)

    def end_run(self) -> None:
        """Wait for the run and see whether it left what it had to."""
        self.wait_until(lambda: self.driver.is_over("run-1"))
        self.wait_until(lambda: not ask_world(self.world)["there"])
        check(self.database_url, self.world, make_crash_dag(), ["run-1"])

    def until_another_leads(self, leader: Leader) -> float:
        """Wait until one that leads since then takes commands; tell for how long."""
        waited = self.wait_until(lambda: self.leader() != leader)
        return waited + self.wait_until(lambda: self.patches(self.leader().url))

    def patches(self, address: str) -> bool:
        """Say whether a command is obeyed there."""
        with suppress(httpx.HTTPError):
            url = f"{address}/api/v2/dags/crash"
            return httpx.patch(url, json={"is_paused": False}, headers=HEADERS).is_success
        return False

    def wait_until(self, is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> float:
        """Wait, and tell for how long."""
        began = time.monotonic()
        while not is_so():
            assert time.monotonic() < began + seconds
            time.sleep(0.01)
        return time.monotonic() - began

    def close(self) -> None:
        self.driver.close()
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def replicas(
    postgresql_server: PostgresqlServer, postgresql_url: str, tmp_path: Path, world: Path
) -> Iterator[Replicas]:
    with closing(Replicas(postgresql_server, postgresql_url, tmp_path, world)) as made:
        made.start()
        yield made


def test_a_follower_answers_hands_on_and_takes_over_when_the_leader_is_killed(
    replicas: Replicas,
) -> None:
    leader, follower = replicas.leader(), replicas.other()
    assert replicas.patches(follower)
    assert replicas.leader() == leader
    replicas.begin_run()
    replicas.processes[leader.url].kill()
    assert replicas.answers(follower)
    seconds = replicas.until_another_leads(leader)
    print(f"took over in {seconds:.2f} s")
    assert seconds < 10
    replicas.end_run()


def test_a_leader_that_is_told_to_stop_hands_over_at_once(replicas: Replicas) -> None:
    leader = replicas.leader()
    replicas.begin_run()
    replicas.processes[leader.url].terminate()
    seconds = replicas.until_another_leads(leader)
    print(f"took over in {seconds:.2f} s")
    assert seconds < 10
    assert replicas.processes[leader.url].wait(20) == 0
    replicas.end_run()


def test_a_leader_whose_connection_is_cut_steps_down_and_may_lead_again(
    replicas: Replicas,
) -> None:
    first = replicas.leader()
    replicas.begin_run()
    for _ in range(3):
        leader = replicas.leader()
        replicas.end_leaders_connection()
        assert replicas.until_another_leads(leader) < 10
    replicas.processes[replicas.other()].kill()
    replicas.end_run()
    assert replicas.leader() != first


@pytest.mark.long
def test_a_leader_that_was_stopped_does_nothing_when_it_goes_on(replicas: Replicas) -> None:
    leader = replicas.leader()
    replicas.begin_run()
    replicas.processes[leader.url].send_signal(signal.SIGSTOP)
    seconds = replicas.until_another_leads(leader)
    print(f"took over in {seconds:.2f} s")
    assert seconds < 10
    replicas.processes[leader.url].send_signal(signal.SIGCONT)
    replicas.end_run()
    replicas.wait_until(lambda: replicas.answers(leader.url))
    replicas.wait_until(lambda: replicas.patches(leader.url))
    assert replicas.leader().url != leader.url
    check(replicas.database_url, replicas.world, make_crash_dag(), ["run-1"])
