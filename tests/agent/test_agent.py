"""How a try ends: what it returned, raised or left with, as the verdict and the exit code."""

from __future__ import annotations

import pytest


def test_a_return_value_is_an_xcom_and_the_verdict_comes_last(agent):
    ended = agent.run("def task(n):\n    print('hello')\n    return {'n': n + 1}\n", args=[41])
    plane = agent.control_plane
    assert ended.returncode == 0, ended.stderr
    kinds = [event["type"] for event in plane.events if event["type"] != "log"]
    assert kinds == ["started", "entered", "xcom", "finished"]
    assert plane.of_type("xcom")[0]["value"] == {"n": 42}
    assert plane.finished["state"] == "success"
    assert plane.log == ended.stdout == "hello\n"


def test_an_exception_is_a_failure_with_the_users_line_and_no_frames_of_the_agent(agent):
    ended = agent.run("def task():\n    raise ValueError('no rows')\n")
    assert ended.returncode == 1
    assert agent.control_plane.finished["reason"] == "ValueError: no rows (steps.py:2)"
    assert "leoflow_agent" not in ended.stderr
    assert 'steps.py", line 2, in task' in agent.control_plane.log


def test_a_module_that_cannot_be_imported_is_another_verdict_than_code_that_raised(agent):
    ended = agent.run("import no_such_module\ndef task(): pass\n")
    assert ended.returncode == 121
    assert agent.control_plane.finished["reason"] == (
        "module 'steps' could not be imported: "
        "ModuleNotFoundError: No module named 'no_such_module' (steps.py:1)"
    )


def test_a_syntax_error_names_its_line(agent):
    agent.run("def task():\n    return (\n")
    assert "(steps.py:2)" in agent.control_plane.finished["reason"]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ("{'a': [1, object()]}", "result['a'][1] is of type 'object'"),
        ("float('nan')", "result is nan"),
        ("{(1, 2): 3}", "result has a key of type 'tuple'"),
        ("(n for n in range(3))", "result is of type 'generator'"),
    ],
)
def test_a_result_that_is_not_json_fails_and_says_where(agent, value, where):
    ended = agent.run(f"def task():\n    return {value}\n")
    assert ended.returncode == 122
    assert where in agent.control_plane.finished["reason"]
    assert not agent.control_plane.of_type("xcom")


def test_a_result_over_the_limit_fails_with_both_figures(agent):
    ended = agent.run("def task():\n    return 'x' * 5000\n", xcom_limit_bytes=1000)
    assert ended.returncode == 122
    reason = agent.control_plane.finished["reason"]
    assert "5002 bytes" in reason
    assert "1000" in reason


@pytest.mark.parametrize(
    ("source", "state", "code"),
    [
        ("import sys; sys.exit()", "success", 0),
        ("import sys; sys.exit(0)", "success", 0),
        ("import sys; sys.exit(7)", "failed", 7),
        ("import sys; sys.exit(121)", "failed", 1),
        ("import sys; sys.exit('bad')", "failed", 1),
        ("exit(3)", "failed", 3),
        ("import os; os._exit(0)", "failed", 1),
        ("import os; os._exit(5)", "failed", 5),
        ("import os; os.kill(os.getpid(), 9)", "failed", 137),
        ("import os; os.abort()", "failed", 134),
    ],
)
def test_every_way_to_leave_has_its_verdict(agent, source, state, code):
    ended = agent.run(f"def task():\n    {source}\n")
    assert (agent.control_plane.finished["state"], ended.returncode) == (state, code)


def test_a_kill_names_the_signal(agent):
    agent.run("def task():\n    import os; os.kill(os.getpid(), 9)\n")
    assert "signal 9 (SIGKILL)" in agent.control_plane.finished["reason"]


def test_bash_returns_the_last_line_of_its_output(agent):
    command = 'echo first; echo "$WHO" >&2; echo last'
    ended = agent.run(
        kind="bash", module=None, function=None, command=command, environment={"WHO": "me"}
    )
    assert ended.returncode == 0
    assert agent.control_plane.of_type("xcom")[0]["value"] == "last"
    assert ended.stderr == "me\n"


def test_bash_takes_its_command_from_a_function(agent):
    agent.run("def task(n):\n    return f'echo {n}'\n", kind="bash", args=[5])
    assert agent.control_plane.of_type("xcom")[0]["value"] == "5"


@pytest.mark.parametrize(("code", "state"), [(0, "success"), (99, "skipped"), (3, "failed")])
def test_bash_exit_codes_are_verdicts_as_in_airflow(agent, code, state):
    ended = agent.run(kind="bash", module=None, function=None, command=f"exit {code}")
    assert agent.control_plane.finished["state"] == state
    assert ended.returncode == code


def test_a_command_that_is_too_long_for_linux_is_told_so(agent):
    agent.run("def task():\n    return 'true ' + 'x' * 200_000\n", kind="bash")
    reason = agent.control_plane.finished["reason"]
    assert reason.startswith("bash cannot be started: Argument list too long; a command")
    assert "131071 bytes" in reason


def test_bash_pipes_end_quietly_because_sigpipe_is_restored(agent):
    ended = agent.run(kind="bash", module=None, function=None, command="yes | head -1")
    assert ended.returncode == 0
    assert ended.stderr == ""


def test_a_missing_workload_is_said(agent):
    agent.environment = {"LEOFLOW_WORKLOAD": "{"}
    ended = agent.run()
    assert ended.returncode == 120
    assert "LEOFLOW_WORKLOAD cannot be read" in ended.stderr
