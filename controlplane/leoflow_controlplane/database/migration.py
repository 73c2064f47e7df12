"""Brings a database to the tables of this version, or refuses it. Loads alembic when it must."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, inspect

from leoflow_controlplane.database.place import Place
from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.schema import metadata

HEAD = "0002"


def prepare(engine: Engine, place: Place) -> None:
    """Make the tables of a new database, upgrade those of an older one, refuse a newer one."""
    with place.preparing(engine) as connection, connection.begin():
        if find_revision(connection) is None:
            metadata.create_all(connection)
            connection.exec_driver_sql(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
            connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{HEAD}')")


def require_current(connection: Connection, place: Place) -> None:
    """Raise DatabaseUnusable unless the tables are those of this version."""
    with connection.begin():
        revision = find_revision(connection)
    if revision != HEAD:
        raise DatabaseUnusable(f"{place.name} is at revision {revision}")


def find_revision(connection: Connection) -> str | None:
    """Read which revision the tables are of; None if there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
