"""Brings a database to the tables of this version, or refuses it. Loads alembic when it must."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine

from leoflow_controlplane.database.place import Place
from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.schema import metadata

# The newest revision in ``migrations``, and all of them in order.
REVISIONS = ("0001", "0002", "0003", "0004")
HEAD = REVISIONS[-1]
_RELEASE_0_1 = "0001"
_MIGRATIONS = Path(__file__).with_name("migrations")
_MAKE_VERSION_TABLE = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
# Release 0.1 looks at nothing else, and makes its own tables where it finds 0.
_FILE_VERSION = 2


def prepare(engine: Engine, place: Place) -> None:
    """Make new tables, upgrade older ones; DatabaseUnusable if they are newer."""
    with place.preparing(engine) as connection, connection.begin():
        revision = find_revision(connection)
        if revision is None:
            _create(connection)
        elif revision in REVISIONS[:-1]:
            upgrade(connection, revision)
        else:
            _require_head(revision, place)


def require_current(connection: Connection, place: Place) -> None:
    """Raise DatabaseUnusable unless the tables are those of this version."""
    with connection.begin():
        _require_head(find_revision(connection), place)


def require_readable(connection: Connection, place: Place) -> None:
    """Raise DatabaseUnusable for tables that a start would refuse; change none.

    It reads the file, so what is damaged raises the driver's error.
    """
    revision = find_revision(connection)
    if revision is not None and revision not in REVISIONS:
        _require_head(revision, place)


def find_revision(connection: Connection) -> str | None:
    """Read of which revision the tables are; None if there are none."""
    if _has_version_table(connection):
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return None if found is None else str(found)
    if connection.dialect.name != "sqlite":
        return None
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if version in (0, 1):
        return _RELEASE_0_1 if version else None
    return f"user_version {version}"


def upgrade(connection: Connection, revision: str | None) -> None:
    """Run the revisions that follow ``revision`` in the transaction that is open."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    if revision is not None and not _has_version_table(connection):
        command.stamp(config, revision)
    command.upgrade(config, HEAD)


def _create(connection: Connection) -> None:
    """Make what the revisions would make one after another, in a hundredth of the time."""
    metadata.create_all(connection, checkfirst=False)
    connection.exec_driver_sql(_MAKE_VERSION_TABLE)
    connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{HEAD}')")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {_FILE_VERSION}")


def _has_version_table(connection: Connection) -> bool:
    question = "SELECT to_regclass('alembic_version')"
    if connection.dialect.name == "sqlite":
        question = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    return connection.exec_driver_sql(question).scalar() is not None


def _require_head(revision: str | None, place: Place) -> None:
    if revision == HEAD:
        return
    if revision is None:
        raise DatabaseUnusable(f"{place.name} has no tables of leoflow any more.")
    raise DatabaseUnusable(
        f"{place.name} was written by a newer version of leoflow (revision '{revision}', this one "
        f"reads up to '{HEAD}'). Use that version, or another database."
    )
