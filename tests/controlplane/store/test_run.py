"""Runs of processes that are no more."""

from __future__ import annotations

from pathlib import Path

from house import SETTINGS, make_dag, make_task
from leoflow_controlplane.database import open_engine
from leoflow_controlplane.model import RunKey, RunRequest
from leoflow_controlplane.store import step
from leoflow_controlplane.store.attempt import Policy
from leoflow_controlplane.store.result import load_result, load_updates
from leoflow_controlplane.store.run import fail_orphans

DAG = make_dag(make_task("a", retries=3), make_task("b", "a"))


def test_only_the_runs_of_the_dead_are_given_up(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "state.db")
    with engine.begin() as connection:
        tokens = iter("abc")
        for owner in ("dead", "alive"):
            policy = Policy(owner, SETTINGS, lambda: next(tokens), str)
            request = RunRequest(DAG, "i", logical_date="2026-01-01")
            step.submit(connection, policy, request, RunKey("d", owner), 0.0)
        assert fail_orphans(connection, lambda name: name == "alive", 5.0) == [RunKey("d", "dead")]
        given_up = load_result(connection, RunKey("d", "dead"))
        assert (given_up.state, given_up.reason) == ("failed", "the process that ran it ended")
        assert [task.state for task in given_up.tasks] == ["failed", "skipped"]
        assert load_result(connection, RunKey("d", "alive")).state == "running"
        *_, over = load_updates(connection, RunKey("d", "dead"), 0)
        assert over
        assert fail_orphans(connection, lambda name: name == "alive", 6.0) == []
    engine.dispose()
