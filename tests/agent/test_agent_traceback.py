"""What is told of user code that failed: its own frames, and none of the secrets."""

from __future__ import annotations

import json

import pytest
from taskresult import returned

SECRET = "hunter2-planted"


@pytest.mark.parametrize(
    "source",
    [
        "def task():\n    raise ValueError(f'cannot log in with {PASSWORD}')\n",
        "def task():\n    print(PASSWORD); import sys; sys.exit(PASSWORD)\n",
        "raise ValueError(PASSWORD)\n",
    ],
)
def test_a_password_is_in_no_reason_and_no_log(agent, source):
    agent.control_plane.inputs = {
        "args": [],
        "kwargs": {},
        "environment": {"AIRFLOW_CONN_DB": f"postgres://me:{SECRET}@db/x"},
        "request": None,
    }
    head = "import os\nPASSWORD = os.environ['AIRFLOW_CONN_DB'].split(':')[2].split('@')[0]\n"
    ended = agent.run(head + source, inputs=None)
    assert ended.returncode != 0
    assert "***" in agent.control_plane.finished["reason"]
    assert SECRET not in json.dumps(agent.control_plane.events)
    assert SECRET not in ended.stdout + ended.stderr


def test_a_traceback_has_no_frames_of_leoflow_whatever_led_to_it(agent):
    source = (
        "import leoflow\n"
        "def task(ti):\n"
        "    try:\n"
        "        ti.xcom_push('k', {1})\n"
        "    except TypeError as error:\n"
        "        raise ValueError('chained') from error\n"
    )
    agent.run(source)
    log = agent.control_plane.log
    assert "direct cause" in log
    assert "leoflow_agent" not in log
    assert "runcontext" not in log
    assert log.count('steps.py", line') == 2


def test_a_traceback_of_async_code_begins_with_the_users_line(agent):
    agent.run("async def task():\n    raise ValueError('x')\n")
    lines = agent.control_plane.log.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert 'steps.py", line 2, in task' in lines[1]


def test_a_group_is_told_with_its_parts_and_without_leoflow(agent):
    source = (
        "import asyncio\n"
        "async def bad(n):\n    raise ValueError(n)\n"
        "async def task():\n"
        "    if not hasattr(asyncio, 'TaskGroup'):\n"
        "        return 'before 3.11 there are no groups'\n"
        "    async with asyncio.TaskGroup() as group:\n"
        "        group.create_task(bad(1))\n"
        "        group.create_task(bad(2))\n"
    )
    agent.run(source)
    if agent.control_plane.finished["state"] == "success":
        assert returned(agent) == "before 3.11 there are no groups"
        return
    assert "leoflow_agent" not in agent.control_plane.log
    reason = agent.control_plane.finished["reason"]
    assert reason.startswith("ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions): ")
    assert reason.endswith("ValueError: 1 (steps.py:3)")


def test_a_syntax_error_is_told_without_leoflows_frames(agent):
    agent.run("def task(:\n")
    assert 'steps.py", line 1' in agent.control_plane.log
    assert "leoflow_agent" not in agent.control_plane.log
    assert "importlib" not in agent.control_plane.log
