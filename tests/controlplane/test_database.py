"""Short transactions, many to one commit, on a file that several processes share."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import DatabaseUnusable
from sqlalchemy import Connection

OPENER = """
import asyncio, sys
from pathlib import Path
from leoflow_controlplane.database import Database

async def main():
    database = Database(Path(sys.argv[1]))
    await database.open()
    for number in range(20):
        await database.run(lambda c: c.exec_driver_sql(
            "INSERT INTO dag_versions (dag_id, spec_hash, image, spec, created_at) "
            "VALUES (?, ?, '', '', 0)", (sys.argv[2], str(number))))
    await database.close()

asyncio.run(main())
"""


def insert(connection: Connection, name: str) -> str:
    connection.exec_driver_sql(
        "INSERT INTO dag_versions (dag_id, spec_hash, image, spec, created_at) "
        "VALUES (?, '', '', '', 0)",
        (name,),
    )
    return name


def insert_and_fail(connection: Connection, name: str) -> str:
    insert(connection, name)
    raise LookupError(name)


def names(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT dag_id FROM dag_versions ORDER BY id").fetchall()
    return [row[0] for row in rows]


async def open_database(folder: Path) -> Database:
    database = Database(folder / "new" / "state.db")
    await database.open()
    return database


async def test_the_file_appears_by_itself(tmp_path: Path) -> None:
    database = await open_database(tmp_path)
    assert await database.run(insert, "a") == "a"
    await database.close()
    assert names(tmp_path / "new" / "state.db") == ["a"]


async def test_an_operation_that_fails_takes_nobody_with_it(tmp_path: Path) -> None:
    database = await open_database(tmp_path)
    work = [
        database.run(insert, "a"),
        database.run(insert_and_fail, "b"),
        database.run(insert, "c"),
    ]
    done = await asyncio.gather(*work, return_exceptions=True)
    await database.close()
    assert done[0] == "a"
    assert isinstance(done[1], LookupError)
    assert names(tmp_path / "new" / "state.db") == ["a", "c"]


async def test_operations_that_wait_share_a_commit(tmp_path: Path) -> None:
    database = await open_database(tmp_path)
    commits = 0

    def count(_: object) -> None:
        nonlocal commits
        commits += 1

    def watch(connection: Connection) -> None:
        from sqlalchemy import event

        event.listen(connection.engine, "commit", count)

    await database.run(watch)
    await asyncio.gather(*(database.run(insert, str(number)) for number in range(100)))
    await database.close()
    assert commits < 50


async def test_what_was_answered_is_durable(tmp_path: Path) -> None:
    """The setting that makes it so: a commit is on the disk when it returns."""
    database = await open_database(tmp_path)

    def read(connection: Connection) -> list[object]:
        questions = ("synchronous", "journal_mode", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {q}").scalar() for q in questions]

    assert await database.run(read) == [2, "wal", 1]
    await database.close()


async def test_an_operation_completes_though_its_caller_is_cancelled(tmp_path: Path) -> None:
    database = await open_database(tmp_path)
    task = asyncio.create_task(database.run(insert, "a"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.close()
    assert names(tmp_path / "new" / "state.db") == ["a"]


async def test_a_full_disk_is_told_in_plain_words_and_does_no_lasting_harm(tmp_path: Path) -> None:
    database = await open_database(tmp_path)

    def limit(connection: Connection, pages: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await database.run(limit, 1)
    with pytest.raises(DatabaseUnusable) as caught:
        await database.run(insert, "x" * 100_000)
    assert "database or disk is full. Check its disk" in str(caught.value)
    assert "sqlalche" not in str(caught.value)
    await database.run(limit, 10_000)
    await database.run(insert, "later")
    await database.close()
    assert names(tmp_path / "new" / "state.db") == ["later"]


async def test_nothing_counts_as_done_that_a_full_disk_rolled_back(tmp_path: Path) -> None:
    """SQLite then ends the whole transaction, and with it the steps that it was shared with."""
    database = await open_database(tmp_path)
    gate = threading.Event()

    def wait(_: Connection) -> None:
        gate.wait(10)

    def overflow(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        insert(connection, "x" * 100_000)

    # While the first step waits, the other two come to share a transaction.
    steps = [database.run(wait), database.run(insert, "early"), database.run(overflow)]
    together = asyncio.gather(*steps, return_exceptions=True)
    await asyncio.sleep(0)
    gate.set()
    outcomes = (await together)[1:]
    await database.close()
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnusable, DatabaseUnusable]
    assert names(tmp_path / "new" / "state.db") == []


@pytest.mark.parametrize(("version", "age"), [(99, "a newer"), (-1, "an older")])
async def test_a_file_of_another_version_is_refused(tmp_path: Path, version: int, age: str) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(DatabaseUnusable, match=f"{age} version of leoflow"):
        await Database(path).open()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text(
        "something else entirely, and long enough to be looked at" * 9
    )
    with pytest.raises(DatabaseUnusable, match="cannot be used as the state file"):
        await Database(tmp_path / "state.db").open()


def test_several_processes_open_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    command = [sys.executable, "-c", OPENER, str(path)]
    processes = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert len(names(path)) == 80
