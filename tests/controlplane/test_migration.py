"""Tables are made, upgraded and refused; what was in them stays."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leoflow_controlplane.database import migration
from leoflow_controlplane.database.place import find_place
from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.schema import metadata
from sqlalchemy import Connection

RELEASE_0_1 = Path(__file__).with_name("release_0_1.sql")
POSTGRESQL_CATALOG = (
    "SELECT table_name, column_name, data_type, is_nullable, column_default, "
    "character_maximum_length FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
)
OPENER = """
import sys
from pathlib import Path
from leoflow_controlplane.database.migration import prepare
from leoflow_controlplane.database.place import find_place
sys.stdin.read()
place = find_place(sys.argv[1])
prepare(place.writing(), place)
"""


def work_on(url: str, work: Callable[[Connection], Any]) -> Any:
    """Have ``work`` done in a transaction, on a database that may not be there yet."""
    place = find_place(url)
    engine = place.writing()
    try:
        with place.preparing(engine) as connection, connection.begin():
            return work(connection)
    finally:
        engine.dispose()


def prepare(url: str) -> None:
    place = find_place(url)
    engine = place.writing()
    try:
        migration.prepare(engine, place)
    finally:
        engine.dispose()


def drop_all(connection: Connection) -> None:
    metadata.drop_all(connection)
    connection.exec_driver_sql("DROP TABLE alembic_version")


def catalog(connection: Connection) -> list[Any]:
    """Describe all tables, indices and constraints, as the database itself does."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master").all()
        return sorted((name, "".join(str(sql).split())) for name, sql in rows)
    return [sorted(map(str, connection.exec_driver_sql(q).all())) for q in POSTGRESQL_CATALOG]


def release_0_1(folder: Path) -> str:
    """Make a file that release 0.1 has written: two runs that ended, one that was under way."""
    with sqlite3.connect(folder / "leoflow.db") as connection:
        connection.executescript(RELEASE_0_1.read_text())
    return f"sqlite:///{folder / 'leoflow.db'}"


def test_a_new_database_is_what_the_migrations_would_make(database_url: str) -> None:
    prepare(database_url)
    at_once = work_on(database_url, catalog)
    work_on(database_url, drop_all)
    work_on(database_url, lambda connection: migration.upgrade(connection, None))
    assert work_on(database_url, catalog) == at_once
    assert len(at_once) > 1


def test_all_revisions_are_known() -> None:
    folder = Path(migration.__file__).with_name("migrations") / "versions"
    assert sorted(path.stem[1:5] for path in folder.glob("r*.py")) == list(migration.REVISIONS)


def test_a_database_is_opened_again_as_it_is(database_url: str) -> None:
    prepare(database_url)
    before = work_on(database_url, catalog)
    prepare(database_url)
    assert work_on(database_url, catalog) == before


def test_a_file_of_release_0_1_keeps_its_runs(tmp_path: Path) -> None:
    url = release_0_1(tmp_path)
    prepare(url)

    def ask(question: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in work_on(url, lambda c: c.exec_driver_sql(question).all())]

    assert ask("SELECT run_id, state, run_type, logical_at, instance_id FROM runs ORDER BY id") == [
        ("first", "success", "manual", 1772359200.0, "4c392cddf135"),
        ("second", "failed", "manual", 1772409600.0, "4c392cddf135"),
        ("third", "running", "manual", 1772496000.0, "4c392cddf135"),
    ]
    columns = "run_pk, task_id, position, state, try_number, max_tries, finished_at > started_at"
    assert ask(f"SELECT {columns} FROM task_instances ORDER BY run_pk, position") == [
        (1, "flaky", 0, "success", 2, 2, 1),
        (1, "load", 1, "success", 1, 0, 1),
        (2, "broken", 0, "failed", 1, 0, 1),
        (2, "load", 1, "upstream_failed", 0, 0, None),
        (3, "slow", 0, "running", 1, 0, None),
        (3, "load", 1, None, 0, 0, None),
    ]
    assert ask("SELECT task_id, try_number, state FROM tries ORDER BY run_pk, task_id, 2") == [
        ("flaky", 1, "failed"),
        ("flaky", 2, "success"),
        ("load", 1, "success"),
        ("broken", 1, "failed"),
        ("slow", 1, None),
    ]
    assert ask("SELECT run_pk, task_id, value FROM xcoms ORDER BY task_id") == [
        (1, "flaky", '{"rows": 3}'),
        (1, "load", '{"rows": 3}'),
    ]
    assert ask("SELECT count(*) FROM journal WHERE kind = 'log'") == [(5,)]
    assert ask("SELECT id, version_number FROM dag_versions") == [(1, 1), (2, 2), (3, 3)]


def test_an_upgraded_file_is_what_a_new_one_is(tmp_path: Path) -> None:
    old = release_0_1(tmp_path)
    new = f"sqlite:///{tmp_path / 'new.db'}"
    prepare(old)
    prepare(new)
    assert work_on(old, catalog) == work_on(new, catalog)


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    url = release_0_1(tmp_path)
    with sqlite3.connect(tmp_path / "leoflow.db") as connection:
        connection.execute("UPDATE dag_versions SET spec = 'no JSON' WHERE id = 3")
        before = list(connection.iterdump())
    with pytest.raises(ValueError, match="Expecting value"):
        prepare(url)
    with sqlite3.connect(tmp_path / "leoflow.db") as connection:
        assert list(connection.iterdump()) == before


def test_a_newer_revision_is_refused(database_url: str) -> None:
    prepare(database_url)
    work_on(
        database_url, lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num='0999'")
    )
    with pytest.raises(DatabaseUnusable, match=r"newer version of leoflow \(revision '0999'"):
        prepare(database_url)


@pytest.mark.parametrize("version", [3, -1])
def test_a_file_with_a_version_of_somebody_else_is_refused(tmp_path: Path, version: int) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(DatabaseUnusable, match=f"user_version {version}"):
        prepare(f"sqlite:///{tmp_path / 'other.db'}")


def test_release_0_1_can_tell_that_a_file_is_of_a_newer_one(tmp_path: Path) -> None:
    """It looks at PRAGMA user_version alone, and would make its own tables where that is 0."""
    old, new = release_0_1(tmp_path), f"sqlite:///{tmp_path / 'new.db'}"
    for url in (old, new):
        prepare(url)
        version = work_on(url, lambda c: c.exec_driver_sql("PRAGMA user_version").scalar())
        assert version > 1


def test_several_processes_make_one_database(database_url: str) -> None:
    command = [sys.executable, "-c", OPENER, database_url]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert work_on(database_url, migration.find_revision) == migration.HEAD


def test_alembic_is_not_loaded_where_there_is_nothing_to_upgrade(tmp_path: Path) -> None:
    """Loading it takes longer than making the tables, and each `leoflow run` would pay it."""
    look = OPENER + "assert 'alembic' not in sys.modules; assert 'psycopg' not in sys.modules"
    url = f"sqlite:///{tmp_path / 'leoflow.db'}"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", look, url], input=b"", check=True, timeout=60)


def test_engines_differ_in_nothing_that_the_tables_need(database_url: str) -> None:
    """Numbers of 64 bits, instants to the microsecond, and text with any character but NUL."""

    def check(connection: Connection) -> Any:
        connection.exec_driver_sql(
            "INSERT INTO dag_versions (id, dag_id, version_number, spec_hash, image, spec, "
            "created_at) VALUES (1, 'd', 1, '', '', '', 0)"
        )
        connection.exec_driver_sql(
            "INSERT INTO backfills (id, dag_id, from_date, to_date, conf, max_active_runs, "
            "reprocess_behavior, run_backwards, is_paused, created_at) VALUES "
            "(5000000000, 'd', '', '', 'ü😀\u2028', 1, 'none', 'f', 'f', 1795655953.280406)"
        )
        return connection.exec_driver_sql("SELECT id, conf, created_at FROM backfills").one()

    prepare(database_url)
    assert tuple(work_on(database_url, check)) == (5_000_000_000, "ü😀\u2028", 1795655953.280406)
