"""What goes wrong outside: nothing that was answered is lost, and work goes on when it is over."""

from __future__ import annotations

import asyncio
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ledger import Ledger, environment, names, open_database, write
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import DatabaseUnusable
from postgresqlserver import PostgresqlServer, running_server
from sqlalchemy import Connection

BIG = "x" * 1_000_000
# Runs in a mount namespace of its own, on 4 MiB that it fills and then makes read-only.
ON_A_SMALL_DISK = """
import asyncio, os, subprocess, sys
from pathlib import Path
from ledger import Ledger, environment, names, open_database
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import DatabaseUnusable

folder = Path(sys.argv[1])

def mount(*options):
    subprocess.run(["mount", *options, str(folder)], check=True)

async def refused(database, ledger, name):
    for number in range(1000):
        try:
            await database.run(ledger.add, f"{name}{number:04}" + "y" * 2000)
        except DatabaseUnusable as error:
            return str(error)
        answered.append(f"{name}{number:04}" + "y" * 2000)
    raise AssertionError("the disk did not fill up")

answered = []

async def main():
    ledger = Ledger()
    async with open_database(folder / "leoflow.db", ledger) as database:
        (folder / "filler").write_bytes(b"x" * 2**20)
        print(await refused(database, ledger, "full"))
        (folder / "filler").unlink()
        await database.usable()
        answered.append(await database.run(ledger.add, "after"))
    mount("-o", "remount,ro")
    try:
        await Database(folder / "leoflow.db", ledger).open()
    except DatabaseUnusable as error:
        print(error)
    mount("-o", "remount,rw")
    async with open_database(folder / "leoflow.db", ledger) as database:
        assert await database.read(names) == answered

mount("-t", "tmpfs", "-o", "size=4m", "tmpfs")
asyncio.run(main())
"""


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the kernel refuse to make any file larger, as it does when a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def be_impatient(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA busy_timeout = 50").close()


async def insist(database: Database, name: str) -> None:
    """Write ``name`` as a server does: again and again, until it is known to be durable."""
    while True:
        try:
            if name not in await database.read(names):
                await database.run(write, name)
        except DatabaseUnusable:
            await database.usable()
        else:
            return


async def insist_until(database: Database, reason: str) -> None:
    """Write until it is refused for ``reason``."""
    while True:
        try:
            await database.run(write, "a")
        except DatabaseUnusable as error:
            if reason in str(error):
                raise


async def test_a_full_disk_is_told_and_over_when_there_is_room(tmp_path: Path) -> None:
    ledger = Ledger()
    async with open_database(tmp_path / "leoflow.db", ledger) as database:
        await database.run(ledger.add, "before")
        with largest_file(200_000):
            with pytest.raises(DatabaseUnusable) as caught:
                await database.run(ledger.add, BIG)
            assert database.trouble is not None
        await database.usable()
        await database.run(ledger.add, "after")
        assert await database.read(names) == ["before", "after"]
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'leoflow.db'} cannot be used as the database: ")
    assert text.endswith("or set LEOFLOW_HOME to another one.")
    assert "xxx" not in text


async def test_nothing_counts_as_done_that_a_full_disk_rolled_back(tmp_path: Path) -> None:
    """SQLite then ends the transaction by itself, and with it the steps that shared it."""
    ledger = Ledger()

    def overflow(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        write(connection, BIG)

    async with open_database(tmp_path / "leoflow.db", ledger) as database:
        work = [database.run(ledger.add, "early"), database.run(overflow)]
        done = await asyncio.gather(*work, return_exceptions=True)
        assert isinstance(done[1], DatabaseUnusable)
        durable = await database.read(names)
        assert durable == ([] if isinstance(done[0], DatabaseUnusable) else ["early"])


async def test_a_lock_that_nobody_lets_go_of_is_told(tmp_path: Path) -> None:
    ledger = Ledger()
    path = tmp_path / "leoflow.db"
    async with open_database(path, ledger) as database:
        await database.run(be_impatient)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnusable, match="database is locked"):
            await database.run(ledger.add, "a")
        assert await database.read(names) == []
        holder.execute("ROLLBACK")
        holder.close()
        await database.usable()
        await database.run(ledger.add, "b")
        assert await database.read(names) == ["b"]


async def test_a_file_that_is_gone_takes_no_more_and_comes_back(tmp_path: Path) -> None:
    """SQLite itself would go on writing to a file that nobody can open again."""
    path, aside = tmp_path / "home" / "leoflow.db", tmp_path / "aside"
    ledger = Ledger()
    async with open_database(path, ledger) as database:
        await database.run(ledger.add, "before")
        path.parent.rename(aside)
        with pytest.raises(DatabaseUnusable, match="was removed or replaced"):
            await database.run(ledger.add, "into nowhere")
        with pytest.raises(DatabaseUnusable):
            await database.run(ledger.add, "still nowhere")
        assert not path.exists()
        aside.rename(path.parent)
        await database.usable()
        await database.run(ledger.add, "after")
        assert (await database.read(names))[-1] == "after"
        assert ledger.forgotten > 0


async def test_a_file_that_was_replaced_by_an_empty_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "leoflow.db"
    ledger = Ledger()
    async with open_database(path, ledger) as database:
        for part in tmp_path.glob("leoflow.db*"):
            part.unlink()
        path.touch()
        with pytest.raises(DatabaseUnusable):
            await database.run(ledger.add, "a")
        with pytest.raises(DatabaseUnusable, match="has no tables of leoflow any more"):
            await insist_until(database, "has no tables")


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "leoflow.db").write_text("something else entirely, and long enough" * 30)
    with pytest.raises(DatabaseUnusable, match="file is not a database"):
        await Database(tmp_path / "leoflow.db", Ledger()).open()


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnusable, match=r"cannot be used as the database: .*file"):
        await Database(tmp_path / "file" / "leoflow.db", Ledger()).open()


@pytest.mark.long
def test_a_real_disk_is_full_and_then_read_only(tmp_path: Path) -> None:
    """Needs mounts: root, or a system that gives its users namespaces."""
    unshare = shutil.which("unshare")
    assert unshare is not None, "this test needs the program 'unshare'"
    command = [unshare, "--map-root-user", "--mount", sys.executable, "-c", ON_A_SMALL_DISK]
    done = subprocess.run(
        [*command, tmp_path], capture_output=True, text=True, timeout=100, env=environment()
    )
    assert done.returncode == 0, done.stderr
    full, read_only = done.stdout.splitlines()
    assert "disk is full" in full or "disk I/O error" in full
    assert "Read-only file system" in read_only


@pytest.fixture(scope="module")
def durable_server() -> Iterator[PostgresqlServer]:
    """A PostgreSQL that may be stopped, and that keeps what it promised."""
    with running_server(durable=True) as server:
        yield server


@pytest.mark.postgresql
async def test_a_server_that_is_away_is_told_and_used_again(
    durable_server: PostgresqlServer,
) -> None:
    ledger = Ledger()
    name = durable_server.make_database()
    async with open_database(durable_server.url(name), ledger) as database:
        await database.run(ledger.add, "before")
        assert await database.read(names) == ["before"]
        durable_server.stop()
        with pytest.raises(DatabaseUnusable, match="Check that the server runs"):
            await database.run(ledger.add, "away")
        with pytest.raises(DatabaseUnusable):
            await database.read(names)
        assert database.trouble is not None
        durable_server.start()
        await database.usable()
        await database.run(ledger.add, "after")
        assert await database.read(names) == ["before", "after"]


@pytest.mark.postgresql
async def test_a_loss_is_noticed_though_nothing_is_written(
    durable_server: PostgresqlServer,
) -> None:
    async with open_database(durable_server.url(durable_server.make_database())) as database:
        durable_server.stop()
        while database.trouble is None:
            await asyncio.sleep(0.01)
        durable_server.start()
        await database.usable()


@pytest.mark.long
@pytest.mark.postgresql
async def test_nothing_answered_is_lost_when_the_server_crashes(
    durable_server: PostgresqlServer,
) -> None:
    name = durable_server.make_database()
    async with open_database(durable_server.url(name)) as database:
        answered: list[str] = []

        async def talk(speaker: int) -> None:
            for number in range(20):
                await insist(database, f"{speaker}-{number}")
                answered.append(f"{speaker}-{number}")

        talk_all = asyncio.gather(*(talk(speaker) for speaker in range(5)))
        while len(answered) < 40:
            await asyncio.sleep(0)
        durable_server.stop(signal.SIGQUIT)
        durable_server.start()
        await talk_all
        assert sorted(await database.read(names)) == sorted(answered)
        assert len(answered) == 100


@pytest.mark.postgresql
async def test_a_standby_is_refused(durable_server: PostgresqlServer) -> None:
    name = durable_server.make_database()
    async with open_database(durable_server.url(name)) as database:
        durable_server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        durable_server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{name}' AND application_name = 'leoflow'"
        )
        while database.trouble is None:
            await asyncio.sleep(0.01)
        with pytest.raises(DatabaseUnusable, match="is read-only"):
            await insist_until(database, "is read-only")
