"""How often a task was tried again because the machinery had failed its try."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Integer, text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; nothing was made up for so far."""
    op.add_column(
        "task_instances",
        Column("machinery_tries", Integer, nullable=False, server_default=text("0")),
    )
