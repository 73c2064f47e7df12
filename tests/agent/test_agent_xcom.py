"""Values that user code pushes and pulls while it runs, from other threads and processes too."""

from __future__ import annotations

import json
import signal
import time

import pytest
from taskresult import keep_values, returned


def test_a_pushed_value_is_an_xcom_before_the_result(agent):
    agent.run("def task(ti):\n    ti.xcom_push('n', {'a': [1]})\n    return 2\n")
    pushed = [(event["key"], event["value"]) for event in agent.control_plane.of_type("xcom")]
    assert pushed == [("n", {"a": [1]}), ("return_value", 2)]


def test_a_try_sees_its_own_pushes_and_the_last_one_wins(agent):
    keep_values(agent)
    agent.run(
        "def task(ti):\n"
        "    ti.xcom_push('n', 1)\n"
        "    ti.xcom_push(key='n', value=2)\n"
        "    return [ti.xcom_pull(key='n'), ti.xcom_pull(key='m'), ti.xcom_pull('t', 'n')]\n"
    )
    assert returned(agent) == [2, None, 2]


def test_pull_has_airflows_meaning(agent):
    keep_values(agent, {("a", "return_value", -1): [1], ("b", "k", 3): "x"})
    agent.run(
        "def task(ti):\n"
        "    return [\n"
        "        ti.xcom_pull('a'),\n"
        "        ti.xcom_pull(task_ids='none'),\n"
        "        ti.xcom_pull(task_ids='none', default=7),\n"
        "        ti.xcom_pull(task_ids=['a', 'b'], default=0),\n"
        "        ti.xcom_pull(task_ids='b', key='k', map_indexes=3),\n"
        "        ti.xcom_pull(task_ids='b', key='k', map_indexes=[2, 3]),\n"
        "    ]\n"
    )
    assert returned(agent) == [[1], None, 7, [[1], 0], "x", [None, "x"]]


def test_a_task_that_the_dag_does_not_have_is_an_error_in_user_code(agent):
    answer = {"value": None, "error": "DAG 'd' has no task 'x'. It has: t."}
    agent.control_plane.script = lambda path, _: (
        (200, json.dumps(answer).encode()) if path.startswith("/agent/v1/xcom?") else None
    )
    agent.run("def task(ti):\n    ti.xcom_pull('x')\n")
    reason = agent.control_plane.finished["reason"]
    assert reason == "LookupError: DAG 'd' has no task 'x'. It has: t. (steps.py:2)"


def test_a_pull_waits_while_the_control_plane_is_away(agent):
    refusals = iter([(503, b""), (0, b""), (200, b"no json")] * 2)
    keep_values(agent, {("a", "return_value", -1): 5})
    answer = agent.control_plane.script
    agent.control_plane.script = lambda path, body: (
        (next(refusals, None) if path.startswith("/agent/v1/xcom?") else None) or answer(path, body)
    )
    agent.run("def task(ti):\n    return ti.xcom_pull('a')\n")
    assert returned(agent) == 5


@pytest.mark.parametrize("where", ["ti.xcom_pull('a')", "asyncio.run(asyncio.to_thread(pull, ti))"])
def test_a_task_that_waits_for_a_value_can_be_stopped(agent, where):
    agent.control_plane.script = lambda path, _: (
        (503, b"") if path.startswith("/agent/v1/xcom?") else None
    )
    source = (
        "import asyncio\n"
        "def pull(ti):\n    return ti.xcom_pull('a')\n"
        "def task(ti):\n"
        "    print('ready')\n"
        "    try:\n"
        f"        {where}\n"
        "    finally:\n"
        "        print('cleaned')\n"
    )
    process = agent.start(source, grace_seconds=30)
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=25)
    assert stdout == b"cleaned\n"
    assert process.returncode == 125
    assert time.monotonic() - began < 20


def test_an_interrupted_pull_does_not_give_its_answer_to_the_next_one(agent):
    keep_values(agent, {("a", "return_value", -1): "first", ("b", "return_value", -1): "second"})
    answer = agent.control_plane.script

    def script(path, body):
        if "task_id=a" in path:
            time.sleep(1)
        return answer(path, body)

    agent.control_plane.script = script
    source = (
        "import os, signal, threading\n"
        "from leoflow import TaskTerminated\n"
        "def task(ti):\n"
        "    threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        "    try:\n"
        "        return ['not interrupted', ti.xcom_pull('a')]\n"
        "    except TaskTerminated:\n"
        "        return ti.xcom_pull('b')\n"
    )
    agent.run(source)
    assert returned(agent) == "second"


def test_threads_may_push_and_pull_at_once(agent):
    keep_values(agent, {(f"a{n}", "return_value", -1): n for n in range(20)})
    source = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def task(ti):\n"
        "    def work(n):\n"
        "        ti.xcom_push(f'k{n}', 'x' * 20000)\n"
        "        return ti.xcom_pull(f'a{n}')\n"
        "    with ThreadPoolExecutor(8) as pool:\n"
        "        return list(pool.map(work, range(20)))\n"
    )
    agent.run(source)
    assert returned(agent) == list(range(20))
    assert len(agent.control_plane.of_type("xcom")) == 21


def test_async_functions_push_and_pull(agent):
    keep_values(agent, {("a", "return_value", -1): 1})
    source = (
        "import asyncio\n"
        "async def one(ti):\n"
        "    await asyncio.sleep(0)\n"
        "    return ti.xcom_pull('a')\n"
        "async def task(ti):\n"
        "    ti.xcom_push('k', 1)\n"
        "    return await asyncio.gather(one(ti), one(ti), asyncio.to_thread(ti.xcom_pull, 'a'))\n"
    )
    agent.run(source)
    assert returned(agent) == [1, 1, 1]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("'k', {1}", "TypeError: the value of 'k' is not JSON: value is of type 'set'; make it a"),
        ("'k', float('nan')", "TypeError: the value of 'k' is not JSON: value is nan"),
        ("'k', 'x' * 99", "ValueError: the value of 'k' is 101 bytes of JSON, the limit is 50; "),
        ("1, 2", "TypeError: an XCom's key is text, not 1"),
        ("'', 2", "ValueError: an XCom's key has 1 to 512 characters, not 0"),
    ],
)
def test_a_value_that_cannot_be_kept_is_an_error_where_it_is_pushed(agent, call, error):
    ended = agent.run(f"def task(ti):\n    ti.xcom_push({call})\n", xcom_limit_bytes=50)
    assert agent.control_plane.finished["reason"].startswith(error)
    assert agent.control_plane.finished["reason"].endswith("(steps.py:2)")
    assert not agent.control_plane.of_type("xcom")
    assert ended.returncode == 1


def test_a_spawned_process_gets_a_clear_error_and_no_hang(agent):
    source = (
        "import multiprocessing\n"
        "def push(ti):\n    ti.xcom_push('k', 1)\n"
        "def task(ti):\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        pool.map(push, [ti])\n"
    )
    agent.run(source)
    reason = agent.control_plane.finished["reason"]
    assert reason.startswith("RuntimeError: ti.xcom_push works in the task's own process only")


@pytest.mark.parametrize("call", ["ti.xcom_pull('a')", "leoflow.get_current_context()"])
def test_a_forked_process_gets_a_clear_error_and_leaves_the_pipe_alone(agent, call):
    source = (
        "import leoflow, multiprocessing\n"
        "def work(ti, queue):\n"
        "    try:\n"
        f"        {call}\n"
        "    except RuntimeError as error:\n"
        "        queue.put(str(error))\n"
        "def task(ti):\n"
        "    context = multiprocessing.get_context('fork')\n"
        "    queue = context.Queue()\n"
        "    process = context.Process(target=work, args=(ti, queue))\n"
        "    process.start()\n"
        "    said = queue.get()\n"
        "    process.join()\n"
        "    return said\n"
    )
    agent.run(source)
    assert "process" in returned(agent)


def test_a_fork_that_returns_from_the_task_reports_nothing(agent):
    source = (
        "import os\n"
        "def task():\n"
        "    pid = os.fork()\n"
        "    if pid:\n"
        "        os.waitpid(pid, 0)\n"
        "    return 'parent' if pid else 'child'\n"
    )
    agent.run(source)
    assert [event["value"] for event in agent.control_plane.of_type("xcom")] == ["parent"]
