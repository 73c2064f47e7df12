"""The document that an agent is started with."""

from __future__ import annotations

import json

import pytest
from house import SETTINGS, make_dag, make_task
from leoflow_agent import wire
from leoflow_agent.action import Action, BashAction, HttpAction, PythonAction
from leoflow_agent.wire import Inputs
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.workload import (
    MAX_WORKLOAD_BYTES,
    Dispatch,
    RunContext,
    encode_workload,
    make_job,
    make_workload,
)


def make_dispatch(argument: str = "x", **dag: object) -> Dispatch:
    task = make_task("a", retries=2, execution_timeout_seconds=9.0)
    return Dispatch(
        key=TryKey("d", "r", "a", -1, 2),
        dag=make_dag(task, **dag),
        task=task,
        image="i",
        run=RunContext("2026-01-01T00:00:00+00:00", "s", "e", {"p": 1}, {"c": 2}),
        inputs=Inputs(args=[argument], kwargs={}, environment={}, request=None),
        token="secret",
        inline=False,
        artifacts=None,
        max_tries=5,
    )


def test_it_has_every_field_of_the_contract() -> None:
    workload = make_workload(make_dispatch(), "unix:/s", SETTINGS)
    assert set(workload) == set(wire.Workload.__annotations__)
    assert set(workload["context"]) == set(wire.TaskContext.__annotations__)
    assert workload["context"]["max_tries"] == 5
    assert workload["endpoint"] == "unix:/s"
    assert workload["execution_timeout_seconds"] == 9.0


@pytest.mark.parametrize(("size", "inline"), [(1000, True), (wire.MAX_INLINE_INPUTS_BYTES, False)])
def test_large_inputs_are_left_out(size: int, inline: bool) -> None:
    workload = make_workload(make_dispatch("x" * size), "unix:/s", SETTINGS)
    assert (workload["inputs"] is not None) == inline


def test_variables_of_the_interpreter_need_a_fresh_one() -> None:
    def fresh(environment: dict[str, str]) -> bool:
        dispatch = make_dispatch(environment=environment)
        return make_workload(dispatch, "unix:/s", SETTINGS)["fresh_interpreter"]

    assert fresh({"PYTHONHASHSEED": "0"})
    assert not fresh({"MY_PYTHON": "1"})


def test_a_workload_that_no_variable_holds_is_refused() -> None:
    workload = make_workload(make_dispatch(), "unix:/s", SETTINGS)
    workload["job"]["command"] = "x" * MAX_WORKLOAD_BYTES
    with pytest.raises(LaunchFailed, match="task 'a': its command, params and conf"):
        encode_workload(workload)


def test_the_text_is_the_document() -> None:
    workload = make_workload(make_dispatch("é"), "unix:/s", SETTINGS)
    assert json.loads(encode_workload(workload)) == workload


@pytest.mark.parametrize(
    ("action", "job"),
    [
        (PythonAction("m", "f"), ("python", "m", "f", None)),
        (BashAction(command="ls"), ("bash", None, None, "ls")),
        (BashAction(python=PythonAction("m")), ("bash", "m", None, None)),
        (HttpAction("u"), ("http_api", None, None, None)),
    ],
)
def test_jobs(action: Action, job: tuple[str | None, ...]) -> None:
    assert tuple(make_job(action).values()) == job
