"""Steps that share commits and change a memory, queries that see one instant; on both databases."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from ledger import Ledger, environment, names, open_database, write
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import DatabaseUnusable
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

# Writes names and says which are durable, for as long as it lives.
TALKER = """
import asyncio, itertools, sys
from ledger import Ledger, open_database

async def main():
    ledger = Ledger()
    async with open_database(sys.argv[1], ledger) as database:
        for number in itertools.count():
            group = [f"{number:06}-{member}" for member in range(3)]
            done = await asyncio.gather(*(database.run(ledger.add, name) for name in group))
            print(*done, sep="\\n", flush=True)

asyncio.run(main())
"""


async def together(database: Database, *work: tuple[Any, ...]) -> list[Any]:
    """Have several steps share one transaction: they wait while another one is being run."""
    begun, gate = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        gate.wait(10)

    first = asyncio.ensure_future(database.run(hold))
    await asyncio.to_thread(begun.wait, 10)
    rest: list[Awaitable[Any]] = [asyncio.ensure_future(database.run(*item)) for item in work]
    await asyncio.sleep(0)
    gate.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


async def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    async with open_database(tmp_path / "leoflow.db"):
        found = {
            path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.glob("leoflow.db*")
        }
    modes = [found[name] for name in ("leoflow.db", "leoflow.db-wal", "leoflow.db-shm")]
    assert modes == ["0o600"] * 3


async def test_what_was_answered_is_there_for_everybody(database_url: str) -> None:
    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        assert await database.run(ledger.add, "a") == "a"
        assert await database.read(names) == ["a"]
    async with open_database(database_url) as database:
        assert await database.read(names) == ["a"]


async def test_steps_that_wait_share_a_flush(database_url: str) -> None:
    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        added = [f"{number:03}" for number in range(100)]
        assert await together(database, *((ledger.add, name) for name in added)) == added
        assert await database.read(names) == added
    assert ledger.flushes == [added]


async def test_a_step_that_fails_before_it_changed_anything_fails_alone(database_url: str) -> None:
    ledger = Ledger()

    def refuse(_: Connection) -> None:
        raise LookupError("no")

    async with open_database(database_url, ledger) as database:
        done = await together(database, (ledger.add, "a"), (refuse,), (ledger.add, "c"))
        assert [done[0], str(done[1]), done[2]] == ["a", "no", "c"]
    assert ledger.flushes == [["a", "c"]]
    assert ledger.forgotten == 0


async def test_a_step_that_fails_after_a_change_takes_nobody_with_it(database_url: str) -> None:
    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        done = await together(
            database, (ledger.add, "a"), (ledger.add_and_fail, "b"), (ledger.add, "c")
        )
        assert [done[0], type(done[1]), done[2]] == ["a", LookupError, "c"]
        assert await database.read(names) == ["a", "c"]
    assert ledger.forgotten > 0


async def test_nothing_remains_of_a_row_whose_step_failed(database_url: str) -> None:
    """It is seen by the statement, since the memory knows nothing of it."""

    def write_and_fail(connection: Connection) -> None:
        write(connection, "b")
        raise LookupError("b")

    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        done = await together(database, (ledger.add, "a"), (write_and_fail,), (write, "c"))
        assert [done[0], type(done[1]), done[2]] == ["a", LookupError, "c"]
        assert sorted(await database.read(names)) == ["a", "c"]


async def test_a_change_that_cannot_be_written_fails_its_step_alone(database_url: str) -> None:
    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        await database.run(ledger.add, "taken")
        done = await together(database, (ledger.add, "a"), (ledger.add, "taken"))
        assert [done[0], type(done[1])] == ["a", IntegrityError]
        assert await database.read(names) == ["taken", "a"]
        assert database.trouble is None


async def test_a_value_of_no_use_is_its_steps_mistake_alone(database_url: str) -> None:
    def confuse(connection: Connection) -> None:
        connection.execute(text("SELECT :value"), {"value": object()})

    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        done = await together(database, (ledger.add, "a"), (confuse,), (ledger.add, "c"))
        assert [done[0], done[2]] == ["a", "c"]
        assert isinstance(done[1], DBAPIError)
        assert database.trouble is None


@pytest.mark.postgresql
async def test_an_error_that_a_step_hid_is_no_success(postgresql_url: str) -> None:
    """PostgreSQL answers the COMMIT that follows as if it had been one."""

    def hide(connection: Connection) -> None:
        write(connection, "a")
        try:
            write(connection, "a")
        except IntegrityError:
            return

    async with open_database(postgresql_url) as database:
        with pytest.raises(Exception, match="after a statement of its own had failed"):
            await database.run(hide)
        assert await database.read(names) == []


async def test_what_follows_from_a_step_is_done_though_nobody_waits(database_url: str) -> None:
    ledger, followed = Ledger(), asyncio.Event()
    async with open_database(database_url, ledger) as database:
        done = database.begin(lambda _: followed.set(), ledger.add, "a")
        done.cancel()
        async with asyncio.timeout(60):
            await followed.wait()
        assert await database.read(names) == ["a"]


async def test_a_step_completes_though_its_caller_is_cancelled(database_url: str) -> None:
    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        task = asyncio.create_task(database.run(ledger.add, "a"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with open_database(database_url) as database:
        assert await database.read(names) == ["a"]


async def test_a_database_that_was_closed_does_nothing_more(database_url: str) -> None:
    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        pass
    with pytest.raises(DatabaseUnusable, match="was closed"):
        await database.run(ledger.add, "a")


async def test_steps_that_wait_at_the_end_are_completed(database_url: str) -> None:
    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        waiting = [asyncio.ensure_future(database.run(ledger.add, name)) for name in "abc"]
        await asyncio.sleep(0)
    assert await asyncio.gather(*waiting) == ["a", "b", "c"]


async def test_a_query_sees_one_instant_and_holds_up_nobody(database_url: str) -> None:
    ledger = Ledger()
    seen, written = threading.Event(), threading.Event()

    def look_twice(connection: Connection) -> tuple[list[str], list[str]]:
        before = names(connection)
        seen.set()
        assert written.wait(10)
        return before, names(connection)

    async with open_database(database_url, ledger) as database:
        await database.run(ledger.add, "a")
        looking = asyncio.ensure_future(database.read(look_twice))
        await asyncio.to_thread(seen.wait, 10)
        await database.run(ledger.add, "b")
        written.set()
        assert await looking == (["a"], ["a"])
        assert await database.read(names) == ["a", "b"]


async def test_a_query_can_write_nothing(database_url: str) -> None:
    async with open_database(database_url) as database:
        with pytest.raises(DatabaseUnusable, match=r"read-?only"):
            await database.read(write, "a")
        assert await database.read(names) == []
        assert database.trouble is None


async def test_acknowledged_means_on_the_disk(database_url: str) -> None:
    """The settings that make it so, as the database itself tells them."""

    def settings(connection: Connection) -> list[object]:
        questions = ["PRAGMA synchronous", "PRAGMA journal_mode", "PRAGMA foreign_keys"]
        if connection.dialect.name == "postgresql":
            questions = ["SHOW synchronous_commit"]
        return [connection.exec_driver_sql(question).scalar() for question in questions]

    async with open_database(database_url) as database:
        assert await database.run(settings) in ([2, "wal", 1], ["on"])


def test_what_was_answered_survives_the_process(database_url: str) -> None:
    command = [sys.executable, "-c", TALKER, database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as talker:
        assert talker.stdout is not None
        answered = [talker.stdout.readline().strip() for _ in range(60)]
        talker.send_signal(signal.SIGKILL)
        answered += talker.stdout.read().split()

    assert "" not in answered

    async def look() -> list[str]:
        async with open_database(database_url) as database:
            return await database.read(names)

    assert set(answered) <= set(asyncio.run(look()))


async def test_two_processes_share_a_file(tmp_path: Path) -> None:
    first, second = Ledger(), Ledger()
    async with (
        open_database(tmp_path / "leoflow.db", first) as one,
        open_database(tmp_path / "leoflow.db", second) as other,
    ):
        work = [one.run(first.add, f"a{number}") for number in range(20)]
        work += [other.run(second.add, f"b{number}") for number in range(20)]
        await asyncio.gather(*work)
        assert len(await one.read(names)) == 40
