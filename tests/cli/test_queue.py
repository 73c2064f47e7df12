"""What a queued run, and a queued task of a run, is said to wait for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fakeserver import FakeServer, log_line, make_dag, make_run, make_task
from leoflow_cli.client.queue import MOST_ASKED


@pytest.mark.parametrize(
    ("dag", "run_type", "says"),
    [
        ({"is_paused": True}, "manual", "DAG 'etl' is paused. Let it go on: leoflow dags unpause"),
        ({"max_active_runs": 1}, "manual", "another run is under way, and max_active_runs of DAG"),
        ({"max_active_runs": 1}, "backfill", "its backfill is paused, or lets no more"),
        ({"max_active_runs": 2}, "manual", None),
        ({"max_active_runs": None}, "manual", None),
    ],
)
def test_a_run_that_is_queued_says_what_it_waits_for(
    server: FakeServer, call, dag: dict[str, Any], run_type: str, says: str | None
):
    server.dags["etl"] = make_dag("etl", **dag)
    server.add_run(make_run("etl", "before", "running"))
    server.add_run(make_run("etl", "filled", "running", run_type="backfill"))
    server.add_run(make_run("etl", "mine", "queued", run_type=run_type), make_task("load", None))
    result = call("runs", "show", "etl", "mine", "--json")
    assert result.exit_code == 0
    wait = json.loads(result.stdout).get("waits_for")
    assert wait is None if says is None else wait.startswith(says)
    assert ("it has not begun" in result.stderr) is (says is not None)


def test_a_task_that_is_queued_says_what_its_try_waits_for(server: FakeServer, call):
    words = "waiting for the image: Back-off pulling image 'etl:1'"
    waits = make_task("load", "queued", map_index=2, try_number=3)
    server.add_run(make_run("etl", "mine", "running"), waits, make_task("other", "queued"))
    server.logs["load", 2, 3] = [[log_line("waiting for a node: 0/1 are available")]]
    server.logs["load", 2, 3] += [[log_line(words)]]
    result = call("runs", "show", "etl", "mine", "--json")
    assert result.exit_code == 0
    assert f"load[2] queued: {words}" in result.stderr
    assert "0/1" not in result.stderr
    told = [task.get("waits_for") for task in json.loads(result.stdout)["tasks"]]
    assert told == [words, None]


def test_of_very_many_queued_tasks_the_first_ones_say_what_they_wait_for(server: FakeServer, call):
    tasks = [make_task("load", "queued", map_index=index) for index in range(MOST_ASKED + 5)]
    server.add_run(make_run("etl", "mine", "running"), *tasks)
    for index in range(len(tasks)):
        server.logs["load", index, 1] = [[log_line("waiting for a node")]]
    result = call("runs", "show", "etl", "mine")
    assert result.stderr.count("waiting for a node") == MOST_ASKED
