"""Durable state: steps on one writer connection, queries on readers; SQLite and PostgreSQL."""

from leoflow_controlplane.database.group import Memory
from leoflow_controlplane.database.handle import Database

__all__ = ["Database", "Memory"]
