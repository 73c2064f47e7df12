"""A control plane as people use it: build, push, trigger, watch, run again."""

from __future__ import annotations

import signal

import pytest

pytestmark = pytest.mark.engine

NAP = "dag_id: nap\ntasks:\n  sleep: {bash: sleep 5}\n"
RESOURCES = "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"


@pytest.fixture
def pushed(leoflow, server, project):
    """The project of 01-hello, built and pushed."""
    folder = project("01-hello")
    assert leoflow("build", folder).returncode == 0
    code, version = leoflow.json("push", folder)
    assert (code, version["created"], version["version_number"]) == (0, True, 1)
    return folder


def test_a_dag_is_pushed_triggered_watched_and_run_again(leoflow, pushed):
    assert leoflow.json("push", pushed)[1]["created"] is False
    code, run = leoflow.json(
        "trigger", "hello", "--conf", '{"city": "Seattle"}', "--wait", "--logs"
    )
    assert (code, run["state"], run["conf"]) == (0, "success", {"city": "Seattle"})
    tasks = {task["task_id"]: task for task in run["tasks"]}
    assert tasks["shout"]["return_value"] == "HELLO, WORLD!"
    assert tasks["shout"]["timeline_ms"]["total"] > 0
    _, log = leoflow.json("logs", "hello", "latest", "shout")
    assert [line["event"] for line in log["lines"]] == ["Hello, world!"]

    cleared = leoflow("runs", "clear", "hello", "latest", "--task", "shout")
    assert "shout runs again" in cleared.stderr
    assert "Hello, world!" in leoflow("logs", "hello", "latest", "--follow").stdout
    _, again = leoflow.json("runs", "show", "hello", run["run_id"])
    assert {task["task_id"]: task["try_number"] for task in again["tasks"]} == {
        "greet": 1,
        "shout": 2,
    }
    _, listed = leoflow.json("runs", "hello")
    assert [one["dag_run_id"] for one in listed["dag_runs"]] == [run["run_id"]]


@pytest.mark.long
def test_who_may_not_is_refused_with_what_to_do(leoflow, pushed):
    ended = leoflow("trigger", "helo")
    assert (ended.returncode, "Did you mean 'hello'?" in ended.stderr) == (2, True)
    made = leoflow("tokens", "create", "guest", "--role", "viewer")
    leoflow.environment["LEOFLOW_TOKEN"] = made.stdout.strip()
    assert leoflow("dags").returncode == 0
    ended = leoflow("trigger", "hello")
    assert ended.returncode == 2
    assert "the token from LEOFLOW_TOKEN may not do this" in ended.stderr
    leoflow.environment["LEOFLOW_TOKEN"] = "leoflow_made_up"
    ended = leoflow("trigger", "hello")
    assert ended.returncode == 2
    assert "does not accept the token from LEOFLOW_TOKEN" in ended.stderr


@pytest.mark.long
def test_ctrl_c_while_waiting_leaves_the_run_alone(leoflow, server, tmp_path):
    project = tmp_path / "nap"
    project.mkdir()
    (project / "dag.yaml").write_text(NAP)
    (project / "leoflow.yaml").write_text(RESOURCES)
    assert leoflow("push", "--build", project).returncode == 0
    with leoflow.start("trigger", "nap", "--run-id", "mine", "--wait") as waiting:
        while "running" not in waiting.stderr.readline():
            assert waiting.poll() is None
        waiting.send_signal(signal.SIGINT)
        said = waiting.stderr.read()
    assert waiting.returncode == 130
    assert "leoflow runs cancel nap mine" in said
    leoflow("logs", "nap", "mine", "--follow")
    assert leoflow.json("runs", "show", "nap", "mine")[1]["state"] == "success"
