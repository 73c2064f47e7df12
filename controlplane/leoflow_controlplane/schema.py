"""The tables, on SQLite and PostgreSQL alike. Only ``store`` and ``database`` use them.

Rows that come in great numbers are named by what they are of (run, task, map index, try), so that
they can be written many at a time without asking the database for a key. A change of any table is
a new revision in ``database/migrations``.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
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

from leoflow_controlplane.model import PHASES

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
    # Tries that the machinery failed and that were made up for, since the task was cleared last.
    Column("machinery_tries", Integer, nullable=False, default=0, server_default=text("0")),
    # Small rows in the order of their key take a fifth less space and a tenth less time.
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
    # A migration adds at the end, and has added this one.
    *(Column(f"{phase}_at", Double) for phase in PHASES if phase != "placed"),
    Column("placed_at", Double),
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

# What a watcher sees, in the order in which it became durable: log text, and changes of state, of
# which a row of the kind ``states`` holds several (``store.told``).
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
