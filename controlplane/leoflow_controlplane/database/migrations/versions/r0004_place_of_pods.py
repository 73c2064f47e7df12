"""When a node was found for the Pod of a try."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; of what is over it is not known."""
    op.add_column("tries", Column("placed_at", Double))
