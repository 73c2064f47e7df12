"""One process leads a database; who lost that can write nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ledger import Ledger, environment, names, open_database, write
from leoflow_controlplane.database.leadership import Leader, find_leader
from leoflow_controlplane.error import Conflict, DatabaseUnusable, NotLeading
from postgresqlserver import PostgresqlServer
from sqlalchemy import Connection

FIRST = Leader("first", "http://first:8080", 1.0)
SECOND = Leader("second", "http://second:8080", 2.0)
END_WRITERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND application_name = 'leoflow'"
)
END_WRITERS_AND_WAIT = END_WRITERS.replace("(pid)", "(pid, 10000)")
# Leads, says so, and writes until it is told that it does not lead any more.
LEADER = """
import asyncio, sys
from ledger import Ledger, open_database
from leoflow_controlplane.database.leadership import Leader

async def main():
    async with open_database(sys.argv[1], Ledger()) as database:
        lost = await database.lead(Leader("other", "http://other:8080", 0.0))
        print("leads", flush=True)
        await lost.wait()
        print("lost", flush=True)

asyncio.run(main())
"""


def start_leader(url: str) -> subprocess.Popen[str]:
    """Start another process that leads; return when it does."""
    command = [sys.executable, "-c", LEADER, url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None
    assert process.stdout.readline() == "leads\n"
    return process


async def test_peers_find_the_leader(database_url: str) -> None:
    async with open_database(database_url) as database:
        assert await database.read(find_leader) is None
        lost = await database.lead(FIRST)
        assert await database.read(find_leader) == FIRST
        assert not lost.is_set()
    async with open_database(database_url) as database:
        await database.lead(SECOND)
        assert await database.read(find_leader) == SECOND


async def test_who_leads_may_write(database_url: str) -> None:
    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        await database.lead(FIRST)
        await database.run(ledger.add, "a")
        assert await database.read(names) == ["a"]


async def test_a_second_server_on_one_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "leoflow.db"
    async with open_database(path) as database, open_database(path) as other:
        await database.lead(FIRST)
        with pytest.raises(Conflict, match=rf"a server \(process {os.getpid()}\) runs on .* Stop"):
            await other.lead(SECOND)
        assert await other.read(find_leader) == FIRST


async def test_a_server_that_was_killed_leaves_its_file_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "leoflow.db"
    with start_leader(f"sqlite:///{path}") as process:
        process.kill()
    async with open_database(path) as database:
        await database.lead(FIRST)


async def test_leoflow_run_writes_beside_a_server(tmp_path: Path) -> None:
    """It never asks to lead; its runs are its own."""
    ledger = Ledger()
    path = tmp_path / "leoflow.db"
    async with open_database(path) as server, open_database(path, ledger) as run:
        await server.lead(FIRST)
        await run.run(ledger.add, "a")
        assert await server.read(names) == ["a"]


@pytest.mark.postgresql
async def test_who_waits_may_read_but_not_write(postgresql_url: str) -> None:
    ledger = Ledger()
    async with open_database(postgresql_url) as leader, open_database(postgresql_url) as other:
        await leader.lead(FIRST)
        waiting = asyncio.create_task(other.lead(SECOND))
        await asyncio.sleep(0)
        with pytest.raises(NotLeading):
            await other.run(ledger.add, "a")
        assert await other.read(find_leader) == FIRST
        await leader.close()
        await waiting
        assert await other.read(find_leader) == SECOND
        await other.run(ledger.add, "b")


@pytest.mark.postgresql
async def test_who_waits_can_be_closed(postgresql_url: str) -> None:
    async with open_database(postgresql_url) as leader:
        await leader.lead(FIRST)
        async with open_database(postgresql_url) as other:
            waiting = asyncio.create_task(other.lead(SECOND))
            await asyncio.sleep(0.05)
            waiting.cancel()
        assert await leader.read(find_leader) == FIRST


@pytest.mark.postgresql
async def test_a_leader_whose_connection_ends_is_told_and_can_write_nothing(
    postgresql_server: PostgresqlServer, postgresql_url: str
) -> None:
    ledger = Ledger()
    async with open_database(postgresql_url, ledger) as database:
        assert not database.surely_leads()
        lost = await database.lead(FIRST)
        await database.run(ledger.add, "first")
        assert database.surely_leads()
        await asyncio.to_thread(postgresql_server.execute, END_WRITERS, name_of(postgresql_url))
        await asyncio.wait_for(lost.wait(), 60)
        assert not database.surely_leads()
        assert ledger.forgotten > 0
        with pytest.raises(NotLeading):
            await database.run(ledger.add, "a")
        lost = await database.lead(SECOND)
        await database.run(ledger.add, "b")
        assert await database.read(names) == ["first", "b"]
        assert not lost.is_set()


@pytest.mark.postgresql
async def test_steps_that_waited_when_it_was_lost_are_not_run_on_a_new_connection(
    postgresql_server: PostgresqlServer, postgresql_url: str
) -> None:
    """Another process may lead by then."""
    ledger = Ledger()
    begun, gate = threading.Event(), threading.Event()

    def dawdle(connection: Connection) -> None:
        ledger.add(connection, "in the midst of it")
        begun.set()
        gate.wait(10)

    async with open_database(postgresql_url, ledger) as database:
        await database.lead(FIRST)
        first = asyncio.ensure_future(database.run(dawdle))
        await asyncio.to_thread(begun.wait, 10)
        waiting = [asyncio.ensure_future(database.run(ledger.add, name)) for name in "ab"]
        await asyncio.sleep(0)
        await asyncio.to_thread(postgresql_server.execute, END_WRITERS, name_of(postgresql_url))
        gate.set()
        done = await asyncio.gather(first, *waiting, return_exceptions=True)
        assert isinstance(done[0], DatabaseUnusable)
        assert {type(error) for error in done[1:]} <= {DatabaseUnusable, NotLeading}
        await database.usable()
        assert await database.read(names) == []


@pytest.mark.postgresql
@pytest.mark.parametrize("others", [0, 1])
async def test_a_connection_that_ends_while_a_step_is_taken_back_is_not_made_anew_in_silence(
    postgresql_server: PostgresqlServer, postgresql_url: str, others: int
) -> None:
    """A new one would work at once, and hold no lock: two processes would lead."""
    ledger = Ledger()

    def fail(connection: Connection) -> None:
        write(connection, "not to stay")
        postgresql_server.execute(END_WRITERS_AND_WAIT, name_of(postgresql_url))
        raise LookupError("the step's own mistake")

    async with open_database(postgresql_url, ledger) as database:
        lost = await database.lead(FIRST)
        steps = [database.run(fail), *(database.run(ledger.add, "a") for _ in range(others))]
        done = await asyncio.gather(*steps, return_exceptions=True)
        assert {type(error) for error in done} <= {DatabaseUnusable, NotLeading}
        await asyncio.wait_for(lost.wait(), 10)
        with pytest.raises(NotLeading):
            await database.run(ledger.add, "b")
        await database.usable()
        assert await database.read(names) == []


@pytest.mark.postgresql
async def test_another_takes_over_from_a_leader_that_was_killed(postgresql_url: str) -> None:
    with start_leader(postgresql_url) as process:
        async with open_database(postgresql_url) as database:
            taking_over = asyncio.create_task(database.lead(SECOND))
            await asyncio.sleep(0)
            process.kill()
            await asyncio.wait_for(taking_over, 60)
            assert await database.read(find_leader) == SECOND


@pytest.mark.long
@pytest.mark.postgresql
async def test_another_takes_over_from_a_leader_that_was_stopped(postgresql_url: str) -> None:
    """Its kernel goes on answering for it, so that the connection looks well."""
    with start_leader(postgresql_url) as process:
        async with open_database(postgresql_url) as database:
            taking_over = asyncio.create_task(database.lead(SECOND))
            process.send_signal(signal.SIGSTOP)
            stopped_at = time.monotonic()
            await asyncio.wait_for(taking_over, 30)
            assert time.monotonic() - stopped_at < 10
            process.send_signal(signal.SIGCONT)
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == "lost\n"
        assert process.wait(30) == 0


@pytest.mark.long
@pytest.mark.postgresql
async def test_a_leader_with_nothing_to_do_stays_one(postgresql_url: str) -> None:
    """For longer than the server lets a session of a stopped process live."""
    async with open_database(postgresql_url) as database:
        lost = await database.lead(FIRST)
        await asyncio.sleep(12)
        assert not lost.is_set()
        assert database.surely_leads()


def name_of(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
