"""What user code is given and what its ends mean: its context, its variables, skipping, failing."""

from __future__ import annotations

import pytest
from taskresult import returned


def test_get_current_context_is_refused_while_the_module_is_imported_elsewhere(agent):
    source = (
        "import multiprocessing\n"
        "from leoflow import get_current_context\n"
        "def deep_down(_):\n    return get_current_context()\n"
        "def task():\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        pool.map(deep_down, [1])\n"
    )
    agent.run(source)
    assert "works in the process of a task only" in agent.control_plane.finished["reason"]


def test_a_function_that_asks_for_nothing_loads_nothing_of_it(agent):
    names = ("context", "exchange", "failure", "jsonhint", "mask")
    source = (
        "import sys\n"
        "def task():\n"
        f"    mine = {{'leoflow_agent.' + name for name in {names!r}}}\n"
        "    mine |= {'leoflow.outcome', 'leoflow.runcontext'}\n"
        "    return sorted(mine & set(sys.modules))\n"
    )
    agent.run(source)
    assert returned(agent) == []


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def task():\n    yield 1\n", "result is of type 'generator'; a task returns one value"),
        ("async def task():\n    yield 1\n", "result is of type 'async_generator'; a task returns"),
        ("def task():\n    return [work()]\nasync def work(): ...\n", "result[0] is of type 'cor"),
    ],
)
def test_what_is_no_value_is_refused_with_what_to_write(agent, source, says):
    assert agent.run(source).returncode == 122
    assert says in agent.control_plane.finished["reason"]


def test_a_callable_object_whose_call_is_async_is_awaited_and_gets_its_context(agent):
    source = (
        "class Job:\n    async def __call__(self, n, ds):\n        return [n, ds]\ntask = Job()\n"
    )
    agent.run(source, args=[1])
    assert returned(agent) == [1, "2026-01-02"]


def test_a_task_can_skip_itself(agent):
    ended = agent.run("import leoflow\ndef task():\n    raise leoflow.SkipTask('nothing new')\n")
    finished = agent.control_plane.finished
    assert (finished["state"], finished["reason"]) == ("skipped", "nothing new")
    assert ended.returncode == 99
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("error", "retryable"), [("FailTask", False), ("DagError", None)])
def test_a_task_can_fail_for_good(agent, error, retryable):
    agent.run(f"import leoflow\ndef task():\n    raise leoflow.{error}('no key', ('f', 1))\n")
    finished = agent.control_plane.finished
    assert finished["state"] == "failed"
    assert finished.get("retryable") is retryable


def test_variables_are_there_before_user_code_and_in_what_it_starts(agent):
    source = (
        "import os, subprocess\n"
        "AT_IMPORT = os.environ['AIRFLOW_VAR_REGION']\n"
        "def task():\n"
        "    shown = subprocess.run(['sh', '-c', 'echo $AIRFLOW_VAR_REGION'], "
        "capture_output=True, text=True)\n"
        "    return [AT_IMPORT, shown.stdout.strip()]\n"
    )
    agent.control_plane.inputs = {
        "args": [],
        "kwargs": {},
        "environment": {"AIRFLOW_VAR_REGION": "vienna é"},
        "request": None,
    }
    for fresh in (False, True):
        agent.control_plane.events.clear()
        agent.run(source, inputs=None, fresh_interpreter=fresh)
        assert returned(agent) == ["vienna é", "vienna é"]


def test_inputs_and_variables_take_one_request_before_the_first_report(agent):
    agent.control_plane.inputs = {
        "args": [1],
        "kwargs": {},
        "environment": {"AIRFLOW_VAR_REGION": "vienna"},
        "request": None,
    }
    agent.run("def task(n):\n    return n\n", inputs=None)
    paths = [path for path, _, _ in agent.control_plane.requests]
    assert paths.count("/agent/v1/inputs") == 1
    assert set(paths) == {"/agent/v1/inputs", "/agent/v1/events"}


def test_a_failing_exit_function_is_told_and_changes_no_verdict(agent):
    source = (
        "import atexit\n"
        "def late():\n    raise ValueError('too late')\n"
        "def task():\n    atexit.register(late)\n    return 1\n"
    )
    agent.run(source)
    assert returned(agent) == 1
    assert "too late" in agent.control_plane.log
    assert "leoflow_agent" not in agent.control_plane.log


def test_the_token_is_not_where_user_code_looks_for_its_context(agent):
    source = (
        "import gc, os, sys\n"
        "def task(ti):\n"
        "    texts = [one for one in gc.get_objects() if isinstance(one, dict)]\n"
        "    texts = [text for one in texts for text in one.values() if type(text) is str]\n"
        "    held = 'secret-' + 'token' in texts\n"
        "    return [held, 'secret-' + 'token' in str(dict(os.environ))]\n"
    )
    agent.run(source)
    assert returned(agent) == [False, False]


def test_everything_is_given_to_a_function_that_takes_everything(agent):
    source = (
        "from leoflow import get_current_context\n"
        "def deep_down():\n    return get_current_context()['run_id']\n"
        "def task(rows, **context):\n"
        "    ti = context['ti']\n"
        "    assert context['params'] == {'color': 'red'}\n"
        "    return [rows, context['ds'], ti.task_id, deep_down()]\n"
    )
    agent.run(source, args=[1])
    assert returned(agent) == [1, "2026-01-02", "t", "r"]
