"""Tables named by what they are of, for a server as well, on SQLite and PostgreSQL.

Carries over all runs of release 0.1 and what they left. Its tokens are not: their tries are over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

revision = "0002"
down_revision = "0001"

PHASES = (
    "scheduled",
    "dispatched",
    "created",
    "started",
    "agent_up",
    "import_started",
    "entered",
    "left",
    "reported",
    "ended",
)

metadata = MetaData()

# SQLite numbers rows by itself only if their key is INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")

dags = Table(
    "dags",
    metadata,
    Column("dag_id", String, primary_key=True),
    Column("dag_version_id", ForeignKey("dag_versions.id"), nullable=False),
    Column("is_paused", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    # The data interval that the schedule made a run for last, and when it makes the next one.
    Column("last_interval_start", Double),
    Column("last_interval_end", Double),
    Column("next_run_at", Double),
    Index("dags_by_next_run", "is_paused", "next_run_at"),
)

dag_versions = Table(
    "dag_versions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("dag_id", String, nullable=False),
    Column("version_number", Integer, nullable=False),
    Column("spec_hash", String(64), nullable=False),
    Column("image", String, nullable=False),
    Column("image_digest", String),
    Column("spec", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("dag_id", "spec_hash", "image"),
    UniqueConstraint("dag_id", "version_number"),
)

# Instants are seconds since the epoch, but for the three that a task is told as they were written.
runs = Table(
    "runs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("dag_id", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("dag_version_id", ForeignKey("dag_versions.id"), nullable=False),
    # Who schedules it: one process of `leoflow run`, or SERVER, whichever process that is.
    Column("instance_id", String, nullable=False),
    Column("run_type", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text),
    Column("cancelled", Boolean, nullable=False, default=False),
    Column("logical_date", String, nullable=False),
    Column("data_interval_start", String, nullable=False),
    Column("data_interval_end", String, nullable=False),
    # logical_date as an instant, for order.
    Column("logical_at", Double, nullable=False),
    Column("conf", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("traceparent", String),
    Column("triggered_by", String),
    Column("note", Text),
    Column("backfill_id", ForeignKey("backfills.id", ondelete="SET NULL")),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    UniqueConstraint("dag_id", "run_id"),
    Index("runs_by_instance", "instance_id", "finished_at"),
    Index("runs_by_dag", "dag_id", "logical_at"),
    Index("runs_by_creation", "created_at"),
    # Without these two a version or a backfill is not deleted without looking at every run.
    Index("runs_by_version", "dag_version_id"),
    Index("runs_by_backfill", "backfill_id"),
)

task_instances = Table(
    "task_instances",
    metadata,
    Column("run_pk", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("task_id", String, primary_key=True),
    Column("map_index", Integer, primary_key=True),
    # The order of the DAG.
    Column("position", Integer, nullable=False),
    Column("state", String),
    Column("try_number", Integer, nullable=False, default=0),
    # A failed try is followed by another one as long as its number is not above this.
    Column("max_tries", Integer, nullable=False, default=0),
    Column("due_at", Double),
    Column("scheduled_at", Double),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("reason", Text),
    Column("note", Text),
    # Small rows in the order of their key take a third less space and a tenth less time.
    sqlite_with_rowid=False,
)

# ``state`` is None until there is a verdict, ``ended_at`` until the container is gone.
tries = Table(
    "tries",
    metadata,
    Column("run_pk", Key, primary_key=True, autoincrement=False),
    Column("task_id", String, primary_key=True),
    Column("map_index", Integer, primary_key=True),
    Column("try_number", Integer, primary_key=True),
    Column("inline", Boolean, nullable=False),
    Column("nonce", String),
    Column("acked_seq", Integer, nullable=False, default=0),
    Column("state", String),
    Column("reason", Text),
    Column("reported_verdict", Boolean, nullable=False, default=False),
    Column("terminate", Text),
    Column("defect", Text),
    Column("deadline_at", Double),
    Column("exit_code", Integer),
    Column("oom_killed", Boolean, nullable=False, default=False),
    Column("artifacts", Text),
    *(Column(f"{phase}_at", Double) for phase in PHASES),
    ForeignKeyConstraint(
        ["run_pk", "task_id", "map_index"],
        ["task_instances.run_pk", "task_instances.task_id", "task_instances.map_index"],
        ondelete="CASCADE",
    ),
    sqlite_with_rowid=False,
)
Index(
    "tries_open",
    tries.c.run_pk,
    sqlite_where=tries.c.ended_at.is_(None),
    postgresql_where=tries.c.ended_at.is_(None),
)

xcoms = Table(
    "xcoms",
    metadata,
    Column("run_pk", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("task_id", String, primary_key=True),
    Column("map_index", Integer, primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

# What a watcher sees, in the order in which it became durable: state changes and log text.
journal = Table(
    "journal",
    metadata,
    Column("id", Key, primary_key=True),
    Column("run_pk", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("text", Text, nullable=False),
    Column("task_id", String),
    Column("map_index", Integer, nullable=False, default=-1),
    Column("try_number", Integer, nullable=False, default=0),
    Column("seq", Integer),
    Column("stream", String),
    Column("reason", Text),
    Index("journal_by_run", "run_pk", "id"),
)

backfills = Table(
    "backfills",
    metadata,
    Column("id", Key, primary_key=True),
    Column("dag_id", String, nullable=False),
    Column("from_date", String, nullable=False),
    Column("to_date", String, nullable=False),
    Column("conf", Text, nullable=False),
    Column("max_active_runs", Integer, nullable=False),
    Column("reprocess_behavior", String, nullable=False),
    Column("run_backwards", Boolean, nullable=False, default=False),
    Column("is_paused", Boolean, nullable=False, default=False),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
)

# Messages that have to reach a URL. A row goes when it was delivered or given up.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Key, primary_key=True),
    Column("run_pk", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("url", Text),
    Column("connection", String),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", Double, nullable=False),
    Index("webhooks_by_run", "run_pk"),
)

# Of people and programs; those of tries are signed and kept nowhere.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("last_used_at", Double),
)

# ``value`` is encrypted.
variables = Table(
    "variables",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("description", Text),
    Column("changed_at", Double, nullable=False),
)

connections = Table(
    "connections",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("description", Text),
    Column("changed_at", Double, nullable=False),
)

# One row: the process that schedules, and where its peers find it.
leadership = Table(
    "leadership",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("instance_id", String, nullable=False),
    Column("url", String, nullable=False),
    Column("since", Double, nullable=False),
)


BATCH = 1000
# Children before their parents, so that each can be dropped while the others stand.
OLD_TABLES = ("journal", "xcoms", "tries", "task_instances", "runs", "dag_versions")
COPY_VERSIONS = """
    INSERT INTO dag_versions
        (id, dag_id, version_number, spec_hash, image, spec, created_at)
    SELECT id, dag_id, row_number() OVER (PARTITION BY dag_id ORDER BY id),
        spec_hash, image, spec, created_at
    FROM v1_dag_versions
"""
COPY_INSTANCES = """
    INSERT INTO task_instances
        (run_pk, task_id, map_index, position, state, try_number, max_tries, due_at,
        scheduled_at, started_at, finished_at, reason)
    SELECT i.run_pk, i.task_id, i.map_index,
        row_number() OVER (PARTITION BY i.run_pk ORDER BY i.id) - 1,
        i.state, i.try_number, 0, i.due_at, i.scheduled_at, t.started_at,
        CASE WHEN t.state IS NOT NULL THEN coalesce(t.reported_at, t.ended_at) END, i.reason
    FROM v1_task_instances i
    LEFT JOIN v1_tries t ON t.task_instance_pk = i.id AND t.try_number = i.try_number
"""
TRY_COLUMNS = ", ".join(
    (
        "try_number, inline, nonce, acked_seq, state, reason, reported_verdict, terminate, defect",
        "deadline_at, exit_code, oom_killed, artifacts",
        *(f"{phase}_at" for phase in PHASES),
    )
)
COPY_TRIES = f"""
    INSERT INTO tries (run_pk, task_id, map_index, {TRY_COLUMNS})
    SELECT i.run_pk, i.task_id, i.map_index, t.{TRY_COLUMNS.replace(", ", ", t.")}
    FROM v1_tries t JOIN v1_task_instances i ON i.id = t.task_instance_pk
"""
XCOM_COLUMNS = "run_pk, task_id, map_index, key, value"
JOURNAL_COLUMNS = "id, run_pk, kind, at, text, task_id, map_index, try_number, seq, stream, reason"


def upgrade() -> None:
    """Set the old tables aside, make the new ones, fill them."""
    connection = op.get_bind()
    for name in OLD_TABLES:
        op.execute(f"CREATE TABLE v1_{name} AS SELECT * FROM {name}")
        op.execute(f"DROP TABLE {name}")
    metadata.create_all(connection, checkfirst=False)
    op.execute(COPY_VERSIONS)
    for rows in _converted_runs(connection):
        connection.execute(runs.insert(), rows)
    op.execute(COPY_INSTANCES)
    _set_max_tries(connection)
    op.execute(COPY_TRIES)
    op.execute(f"INSERT INTO xcoms ({XCOM_COLUMNS}) SELECT {XCOM_COLUMNS} FROM v1_xcoms")
    op.execute(f"INSERT INTO journal ({JOURNAL_COLUMNS}) SELECT {JOURNAL_COLUMNS} FROM v1_journal")
    for name in OLD_TABLES:
        op.execute(f"DROP TABLE v1_{name}")
    if connection.dialect.name == "sqlite":
        # All that release 0.1 looks at; it says that this file is of a newer one.
        op.execute("PRAGMA user_version = 2")


def _converted_runs(connection: Connection) -> Iterator[Sequence[dict[str, Any]]]:
    """Yield the runs, some at a time. What release 0.1 ran was started by hand, and at once."""
    result = connection.execute(text("SELECT * FROM v1_runs ORDER BY id")).mappings()
    for rows in result.partitions(BATCH):
        yield [
            {
                **row,
                "cancelled": bool(row["cancelled"]),
                "run_type": "manual",
                "data_interval_start": row["logical_date"],
                "data_interval_end": row["logical_date"],
                "logical_at": _instant(row["logical_date"], row["created_at"]),
                "started_at": row["created_at"],
            }
            for row in rows
        ]


def _instant(date: str, otherwise: float) -> float:
    try:
        return datetime.fromisoformat(date).timestamp()
    except ValueError:
        return otherwise


def _set_max_tries(connection: Connection) -> None:
    """Look up how many retries each task was allowed; release 0.1 did not keep it in a row."""
    change = text(
        "UPDATE task_instances SET max_tries = :max_tries WHERE task_id = :task_id AND run_pk IN "
        "(SELECT id FROM runs WHERE dag_version_id = :version)"
    )
    for version, spec in connection.execute(text("SELECT id, spec FROM dag_versions")).all():
        changes = [
            {"version": version, "task_id": task["task_id"], "max_tries": task["retries"]}
            for task in json.loads(spec).get("tasks", ())
            if task.get("retries")
        ]
        if changes:
            connection.execute(change, changes)
