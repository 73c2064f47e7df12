"""The tables of release 0.1, which only SQLite files had."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

revision = "0001"
down_revision = None

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

dag_versions = Table(
    "dag_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dag_id", String, nullable=False),
    Column("spec_hash", String(64), nullable=False),
    Column("image", String, nullable=False),
    Column("spec", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("dag_id", "spec_hash", "image"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dag_id", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("dag_version_id", ForeignKey("dag_versions.id"), nullable=False),
    Column("instance_id", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text),
    Column("cancelled", Boolean, nullable=False, default=False),
    Column("logical_date", String, nullable=False),
    Column("conf", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    UniqueConstraint("dag_id", "run_id"),
    Index("runs_by_instance", "instance_id", "state"),
)

task_instances = Table(
    "task_instances",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_pk", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("task_id", String, nullable=False),
    Column("map_index", Integer, nullable=False),
    Column("inline", Boolean, nullable=False),
    Column("state", String),
    Column("try_number", Integer, nullable=False, default=0),
    Column("due_at", Float),
    Column("scheduled_at", Float),
    Column("reason", Text),
    UniqueConstraint("run_pk", "task_id", "map_index"),
    Index("task_instances_by_state", "state", "due_at"),
)

# ``state`` is None until there is a verdict, ``ended_at`` until the container is gone.
tries = Table(
    "tries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("task_instance_pk", ForeignKey("task_instances.id", ondelete="CASCADE"), nullable=False),
    Column("try_number", Integer, nullable=False),
    Column("instance_id", String, nullable=False),
    Column("inline", Boolean, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("nonce", String),
    Column("acked_seq", Integer, nullable=False, default=0),
    Column("state", String),
    Column("reason", Text),
    Column("reported_verdict", Boolean, nullable=False, default=False),
    Column("terminate", Text),
    Column("defect", Text),
    Column("deadline_at", Float),
    Column("exit_code", Integer),
    Column("oom_killed", Boolean, nullable=False, default=False),
    Column("artifacts", Text),
    *(Column(f"{phase}_at", Float) for phase in PHASES),
    UniqueConstraint("task_instance_pk", "try_number"),
    Index("tries_by_instance", "instance_id", "state", "ended_at"),
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
    Column("id", Integer, primary_key=True),
    Column("run_pk", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("text", Text, nullable=False),
    Column("task_id", String),
    Column("map_index", Integer, nullable=False, default=-1),
    Column("try_number", Integer, nullable=False, default=0),
    Column("seq", Integer),
    Column("stream", String),
    Column("reason", Text),
    Index("journal_by_run", "run_pk", "id"),
)


def upgrade() -> None:
    """Make the tables."""
    metadata.create_all(op.get_bind(), checkfirst=False)
