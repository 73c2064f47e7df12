"""A database without the memory of runs, for what works on rows alone, and a run for them."""

from __future__ import annotations

from typing import Any

from leoflow_controlplane.schema import dag_versions, runs
from sqlalchemy import Connection, insert, select


class NoMemory:
    """The memory of a database in which no runs are held."""

    size = 0

    def flush(self, connection: Connection) -> None:
        """Never needed, for nothing changes."""
        raise AssertionError

    def forget(self) -> None:
        """Nothing is there."""


def write_run(connection: Connection, **columns: Any) -> None:
    """Write the run 'r' of the DAG 'd', whose key is 1, if it is not there yet."""
    if connection.scalar(select(runs.c.id)) is not None:
        return
    version = {"id": 1, "dag_id": "d", "version_number": 1, "spec_hash": "x", "image": "i"}
    connection.execute(insert(dag_versions).values(**version, spec="{}", created_at=0.0))
    dates = dict.fromkeys(("logical_date", "data_interval_start", "data_interval_end"), "2026")
    run = {"id": 1, "dag_id": "d", "run_id": "r", "dag_version_id": 1, "instance_id": "server"}
    run |= {"run_type": "manual", "state": "failed", "conf": "{}", "params": "{}", **dates}
    connection.execute(
        insert(runs).values(**{**run, "logical_at": 0.0, "created_at": 1.0, **columns})
    )
