"""Runs of processes that are no more."""

from __future__ import annotations

from ground import Ground, make_book, make_plan, open_ground
from house import make_task
from leoflow_controlplane.model import SERVER, RunKey
from leoflow_controlplane.store.orphan import fail_orphans
from leoflow_controlplane.store.result import load_updates

TASKS = (make_task("a", retries=3), make_task("b", "a"))


def test_only_the_runs_of_the_dead_are_given_up() -> None:
    ground = open_ground("sqlite://")
    for owner in ("dead", "alive", SERVER):
        Ground(ground.engine, make_book(owner)).submit(*TASKS, plan=make_plan(owner))
    orphans = ground.read(fail_orphans, lambda name: name == "alive", 105.0)
    assert orphans == [RunKey("d", "dead")]
    given_up = ground.result("dead")
    assert (given_up.state, given_up.reason) == ("failed", "the process that ran it ended")
    assert ground.states("dead") == {"a": "failed", "b": "skipped"}
    assert ground.result("alive").state == ground.result(SERVER).state == "running"
    *_, over = ground.read(load_updates, RunKey("d", "dead"), 0)
    assert over
    assert ground.read(fail_orphans, lambda name: name == "alive", 106.0) == []
    ground.engine.dispose()
