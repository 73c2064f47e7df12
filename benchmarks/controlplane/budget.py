"""The control plane's budget: what a finished task may take, whatever the machine.

Checked by tests/benchmarks/test_controlplane_budget.py. All of it is counted on code that is
played without a server (see `played`), so that it is the same on each run.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.coldstart.agentlimits import Limit
from benchmarks.controlplane.callcount import CallCount
from benchmarks.controlplane.played import Play, play
from benchmarks.controlplane.shape import calls, chains

# Chains of ten tasks: two reports and an end for each task.
CALLS = Limit("calls of functions for a finished task", 403, 415)
CALLS_INLINE = Limit("calls of functions in the writer for an inline call", 204, 215)
# Those that begin and commit included.
STATEMENTS = Limit("SQL statements for a group of 50 steps", 10, 12)
# From the connection to the writer and back, in the event loop's thread.
EDGE_CALLS = Limit("calls of functions for a report at the edge", 74, 78)
# What a server must not load before it answers agents; each takes as long as much of the rest.
LATE_MODULES = frozenset({"fastapi", "httpx", "alembic", "docker"})
CHAINS, PARALLEL = 50, 100


class Counted(NamedTuple):
    """What was counted."""

    calls_per_task: float
    statements_per_group: float


def count(chain_count: int = CHAINS, length: int = 10) -> Counted:
    """Play one run of so many chains, after one that fills caches."""
    with tempfile.TemporaryDirectory() as folder, play(Path(folder), PARALLEL) as played:
        played.register(chains("load", chain_count, length))
        _run_out(played, "warm")
        statements: list[str] = []
        driver: Any = played.connection.connection.driver_connection
        driver.set_trace_callback(statements.append)
        groups = _run_out(played, "statements")
        driver.set_trace_callback(None)
        before = played.finished
        with CallCount() as counted:
            _run_out(played, "calls")
        return Counted(counted.calls / (played.finished - before), len(statements) / groups)


def count_inline(width: int = 200) -> float:
    """Play one run of so many inline calls, after one that fills caches; give what one takes."""
    with tempfile.TemporaryDirectory() as folder, play(Path(folder), PARALLEL) as played:
        played.register(calls("load", width, "http://h"))
        played.trigger("load", "warm")
        played.play_calls()
        played.trigger("load", "counted")
        with CallCount() as counted:
            played.play_calls()
        return counted.calls / width


def _run_out(played: Play, run_id: str) -> int:
    """Run the DAG to its end; give the number of groups."""
    played.trigger("load", run_id)
    groups = 1
    while not played.is_over:
        played.play()
        groups += 1
    return groups
