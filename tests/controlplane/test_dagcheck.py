"""What a pushed DAG may not be, whoever wrote it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from house import SETTINGS, make_dag, make_task
from leoflow_agent.action import BashAction, HttpAction, ListOf, PythonAction, Value, XCom
from leoflow_agent.spec import (
    BuiltDag,
    DagSpec,
    Expansion,
    ImageRef,
    Quantities,
    Resources,
    Schedule,
    TaskGroup,
    Teardown,
    Webhook,
)
from leoflow_controlplane.admission import admit_dag
from leoflow_controlplane.dagcheck import check_dag
from leoflow_controlplane.error import DagRefused

IMAGE = ImageRef("registry.example.org:5000/team/etl:1.0", "sha256:" + "a" * 64, "linux/amd64")
OK = make_task("t")


def check(spec: DagSpec, image: ImageRef = IMAGE) -> list[str]:
    return list(check_dag(BuiltDag(spec, image)))


def cron(text: str) -> Schedule:
    return Schedule("cron", cron=text)


def test_a_dag_that_uses_everything_is_fine() -> None:
    spec = make_dag(
        make_task("all.setup", is_setup=True),
        make_task("all.pull", "all.setup", expansion=Expansion({"n": XCom("all.setup")})),
        make_task("tear-down", "all.pull", teardown=Teardown(("all.setup",))),
        dag_id="every.thing-1",
        schedule=cron("30 6 * * 1-5"),
        timezone="Europe/Vienna",
        start_date="2026-01-01T00:00:00+01:00",
        end_date="2026-12-31T00:00:00+01:00",
        staging_bytes=2**30,
        environment={"TZ": "UTC"},
        task_groups=(
            TaskGroup("all.inner", parent_group_id="all"),
            TaskGroup("all", task_ids=("all.setup", "all.pull")),
        ),
        on_failure=(Webhook("https://example.org/x"), Webhook(connection="pager")),
    )
    assert check(spec) == []


@pytest.mark.parametrize(
    ("tasks", "text"),
    [
        ((), "has no tasks"),
        ((OK, OK), "'t' is used twice"),
        ((make_task("a", "x"),), "dag.py:1: task 'a' waits for 'x', which the DAG does not have"),
        ((make_task("a", "a"),), "waits for 'a', which does not come before it"),
        ((make_task("b", "a"), make_task("a")), "waits for 'a', which does not come before it"),
        ((make_task("a", "b"), make_task("b", "a")), "there may be no circle"),
        (
            (make_task("a", action=PythonAction("dag", args=(ListOf((XCom("x"),)),))),),
            "task 'a' reads from 'x', which the DAG does not have",
        ),
        ((make_task("a", expansion=Expansion({"n": XCom("x")})),), "reads from 'x'"),
        ((make_task("a", teardown=Teardown(("x",))),), "cleans up after 'x'"),
    ],
)
def test_a_graph_that_is_none(tasks: tuple[Any, ...], text: str) -> None:
    assert text in "\n".join(check(make_dag(*tasks)))


@pytest.mark.parametrize("name", ["", ".", "..", "../etc", "a/b", "a b", "x" * 251, "a\n", "'--"])
def test_ids_that_could_be_anything_else(name: str) -> None:
    (wrong_dag,) = check(make_dag(OK, dag_id=name))
    (wrong_task,) = check(make_dag(make_task(name)))
    (wrong_group,) = check(make_dag(OK, task_groups=(TaskGroup(name),)))
    assert "dag_id" in wrong_dag
    assert "task_id" in wrong_task
    assert "group_id" in wrong_group


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"max_active_runs": 0}, "max_active_runs is 0"),
        ({"max_active_runs": 2**31}, "max_active_runs is 2147483648"),
        ({"max_active_tasks": -1}, "max_active_tasks is -1"),
        ({"dagrun_timeout_seconds": 0.0}, "dagrun_timeout_seconds is 0"),
        ({"dagrun_timeout_seconds": float("inf")}, "dagrun_timeout_seconds is inf"),
        ({"staging_bytes": 0}, "staging_bytes is 0"),
        ({"environment": {"A=B": ""}}, "'A=B' cannot be the name"),
        ({"on_failure": (Webhook(),)}, "either a url or a connection"),
        ({"on_success": (Webhook("file:///etc/passwd"),)}, "http:// or https://"),
        ({"schedule": Schedule("cron")}, "schedule.cron belongs"),
        ({"schedule": cron("61 * * * *")}, "is no cron"),
        ({"schedule": cron("* * * * * *")}, "five fields"),
        ({"schedule": cron("0 0 30 2 *")}, "is no cron"),
        ({"schedule": Schedule("interval")}, "schedule.interval_seconds belongs"),
        ({"schedule": Schedule("interval", interval_seconds=1e-9)}, "has to be from 1"),
        ({"schedule": Schedule("interval", interval_seconds=1e300)}, "is 1e+300"),
        ({"schedule": Schedule("continuous")}, "has to be 1 for a continuous"),
        ({"timezone": "../../etc/passwd"}, "no time zone"),
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"start_date": "soon"}, "start_date 'soon' is not ISO 8601"),
        ({"start_date": "2026-01-01"}, "with an offset"),
        ({"start_date": "0001-01-01T00:00:00+00:00"}, "in the years 1900"),
        (
            {"start_date": "2026-01-02T00:00:00+00:00", "end_date": "2026-01-01T00:00:00+00:00"},
            "is before start_date",
        ),
        ({"task_groups": (TaskGroup("g", task_ids=("x",)),)}, "has no task 'x'"),
        ({"task_groups": (TaskGroup("t"),)}, "'t' is the id of another"),
        ({"task_groups": (TaskGroup("g", parent_group_id="h"),)}, "is in 'h'"),
        ({"task_groups": (TaskGroup("g", parent_group_id="g"),)}, "'g' is in itself"),
    ],
)
def test_a_dag_that_could_not_run(fields: dict[str, Any], text: str) -> None:
    (problem,) = check(make_dag(OK, **fields))
    assert text in problem


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"retries": -1}, "retries is -1"),
        ({"retries": 10**30}, "retries is 1000000"),
        ({"retry_delay_seconds": -5.0}, "retry_delay_seconds is -5"),
        ({"execution_timeout_seconds": 0.0}, "execution_timeout_seconds is 0"),
        ({"execution_timeout_seconds": float("nan")}, "execution_timeout_seconds is nan"),
        ({"max_active_tis_per_dag": 0}, "max_active_tis_per_dag is 0"),
        ({"variables": ("a b",)}, "variable 'a b'"),
        ({"connections": ("../x",)}, "connection '../x'"),
        ({"resources": Resources(Quantities(1, None))}, "requests.memory_bytes is missing"),
        ({"resources": Resources(Quantities(-1, 1))}, "requests.cpu_millis is -1"),
        ({"resources": Resources(Quantities(1, 2**60))}, "requests.memory_bytes is 1152"),
        ({"resources": Resources(Quantities(2, 2), Quantities(1))}, "less than the 2"),
        ({"action": BashAction()}, "either a command or a function"),
        ({"action": HttpAction("file:///etc/passwd")}, "url has to begin with http"),
        ({"action": HttpAction("http://x/", "GET\r\nX: y")}, "is no HTTP method"),
        ({"action": HttpAction("http://x/", timeout_seconds=-1)}, "timeout_seconds is -1"),
        ({"action": HttpAction("http://x/", request_retries=-1)}, "request_retries is -1"),
        ({"action": HttpAction("http://x/", save_as="x")}, "save_as needs execution_mode: pod"),
        ({"expansion": Expansion()}, "either kwargs or listed"),
        ({"expansion": Expansion({"n": Value("abc")})}, "expansion.n has to be a list"),
        ({"is_setup": True, "teardown": Teardown()}, "only one of them"),
    ],
)
def test_a_task_that_could_not_run(fields: dict[str, Any], text: str) -> None:
    (problem,) = check(make_dag(make_task("t", **fields)))
    assert problem.startswith("dag.py:1: task 't': ")
    assert text in problem


@pytest.mark.parametrize("name", ["", "--privileged", "../../containers/x", "a b", "a/../b", "a\n"])
def test_an_image_reference_names_an_image(name: str) -> None:
    (problem,) = check(make_dag(OK), replace(IMAGE, reference=name))
    assert "is no name of an image" in problem


def test_a_digest_is_one() -> None:
    (problem,) = check(make_dag(OK), replace(IMAGE, digest="sha256:zz"))
    assert "is no digest" in problem


def test_a_push_is_told_all_that_is_wrong_but_no_more_than_one_can_read() -> None:
    spec = make_dag(*(make_task(f"t{n}", retries=-1) for n in range(80)), max_active_runs=0)
    with pytest.raises(DagRefused) as caught:
        admit_dag(BuiltDag(spec, IMAGE), SETTINGS)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("max_active_runs is 0")
    assert lines[-1] == "and 31 more"
