"""Mapped tasks: one instance for each value, and what is read of them."""

from __future__ import annotations

import pytest
from ground import KEY, Ground, names, rows
from house import make_task
from leoflow_agent.action import PythonAction, Value, XCom
from leoflow_agent.spec import Expansion
from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.error import Refused
from leoflow_controlplane.schema import task_instances
from leoflow_controlplane.steps import intervention, report
from leoflow_controlplane.store.result import load_log


def test_a_mapped_task_runs_once_for_each_value(durable: Ground) -> None:
    action = PythonAction("dag", kwargs={"fixed": Value("y")})
    mapped = make_task("m", "a", action=action, expansion=Expansion({"x": XCom("a")}))
    (first,) = durable.submit(make_task("a"), mapped, make_task("sum", "m"))
    handed = durable.finish(first, value=["p", "q", "r"])
    assert names(handed) == ["m[0]", "m[1]", "m[2]"]
    assert [d.inputs["kwargs"] for d in durable.dispatches[-3:]] == [
        {"fixed": "y", "x": value} for value in "pqr"
    ]
    durable.restart()
    durable.finish(handed[2], value=30)
    durable.finish(handed[0], value=10)
    durable.report(handed[1], {"seq": 1, "type": "finished", "state": "success", "exit_code": 0})
    assert names(durable.handed_out()) == ["sum"]
    # One that left nothing is left out.
    assert durable.dispatches[-1].inputs["args"] == [[10, 30]]
    assert durable.step(report.give_inputs, durable.handed_out()[0])[1]["args"] == [[10, 30]]
    place = [(row.task_id, row.map_index) for row in rows(durable, task_instances)]
    assert ("m", -1) not in place


def test_what_failed_or_was_removed_is_no_part_of_what_a_mapped_task_returned(
    ground: Ground,
) -> None:
    mapped = make_task("m", "a", retries=0, expansion=Expansion({"x": XCom("a")}))
    again = make_task("n", "m", expansion=Expansion({"x": XCom("m")}), trigger_rule="all_done")
    (first,) = ground.submit(make_task("a"), mapped, again)
    handed = ground.finish(first, value=[1, 2, 3])
    ground.finish(handed[0], "failed", value="of a failure")
    ground.finish(handed[1], value="p")
    assert names(ground.finish(handed[2], value="q")) == ["n[0]", "n[1]"]
    assert [d.inputs["args"] for d in ground.dispatches[-2:]] == [[["p", "q"]]] * 2
    assert [d.inputs["kwargs"] for d in ground.dispatches[-2:]] == [{"x": "p"}, {"x": "q"}]


def test_what_is_taken_away_before_it_was_asked_for_is_refused(ground: Ground) -> None:
    mapped = make_task("m", "a", expansion=Expansion({"x": XCom("a")}))
    (first,) = ground.submit(make_task("a"), mapped)
    (handed,) = ground.finish(first, value=[1])
    ground.step(intervention.clear, KEY, (TaskSelection(["a"]), False), ground.now)
    with pytest.raises(Refused, match="cannot be expanded over what task 'a' returned"):
        ground.step(report.give_inputs, handed)


def test_what_cannot_be_expanded_fails_and_says_why(ground: Ground) -> None:
    (first,) = ground.submit(
        make_task("a"), make_task("m", "a", expansion=Expansion({"x": XCom("a")}))
    )
    ground.finish(first, value=7)
    task = ground.result().tasks[1]
    assert task.state in ("failed", "upstream_failed")
    assert "cannot be expanded over what task 'a' returned" in str(task.reason)


def test_each_instance_has_a_log_of_its_own(ground: Ground) -> None:
    handed = ground.submit(make_task("m", expansion=Expansion({"x": Value([1, 2])})))
    for key in handed:
        ground.report(key, {"seq": 1, "type": "log", "text": f"{key.map_index}\n"})
    logs = [[entry.text for entry in ground.read(load_log, key)] for key in handed]
    assert logs == [["0\n"], ["1\n"]]
