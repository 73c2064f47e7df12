"""What user code sees and says while it runs: its context, its XComs, how it is told to stop."""

from __future__ import annotations

import json
import signal
import time
from urllib.parse import parse_qs, urlsplit

import pytest


def returned(agent):
    """Give what the task returned; the failure if it did not."""
    plane = agent.control_plane
    assert plane.finished["state"] == "success", plane.finished["reason"]
    values = [event["value"] for event in plane.of_type("xcom") if event["key"] == "return_value"]
    return values[-1] if values else None


def keep_values(agent, answers=None):
    """Let the control plane answer pulls from what was pushed, as the real one does."""
    answers = answers or {}

    def script(path, _):
        if not path.startswith("/agent/v1/xcom?"):
            return None
        asked = {name: found[0] for name, found in parse_qs(urlsplit(path).query).items()}
        if asked["task_id"] == "t":
            pushed = {event["key"]: event["value"] for event in agent.control_plane.of_type("xcom")}
            return 200, json.dumps({"value": pushed.get(asked["key"]), "error": None}).encode()
        answer = answers.get((asked["task_id"], asked["key"], int(asked["map_index"])))
        return 200, json.dumps({"value": answer, "error": None}).encode()

    agent.control_plane.script = script


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


def test_sigterm_lets_finally_blocks_and_context_managers_run_once(agent):
    source = (
        "import time\n"
        "def task():\n"
        "    try:\n"
        "        print('ready')\n"
        "        time.sleep(60)\n"
        "    except Exception:\n"
        "        print('taken for an error')\n"
        "    finally:\n"
        "        print('cleaning')\n"
        "        time.sleep(0.5)\n"
        "        print('cleaned')\n"
    )
    process = agent.start(source, grace_seconds=20)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == b"cleaning\n"
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=30)
    assert stdout == b"cleaned\n"
    assert process.returncode == 125
    assert agent.control_plane.finished["reason"] == "stopped by signal 15"
    assert b"TaskTerminated" in stderr
    assert b'steps.py", line ' in stderr


def test_a_timeout_says_where_the_task_was(agent):
    ended = agent.run(
        "import time\ndef task():\n    time.sleep(60)\n",
        execution_timeout_seconds=2.0,
        grace_seconds=20,
    )
    assert ended.returncode == 124
    assert 'steps.py", line 3, in task' in agent.control_plane.log


def test_cleaning_up_longer_than_the_grace_is_killed(agent):
    source = (
        "import time\n"
        "def task():\n"
        "    try:\n        time.sleep(60)\n"
        "    finally:\n        time.sleep(60)\n"
    )
    began = time.monotonic()
    ended = agent.run(source, execution_timeout_seconds=0.3, grace_seconds=0.5)
    assert ended.returncode == 124
    assert time.monotonic() - began < 20


def test_sigterm_ends_an_event_loop_and_its_coroutines_clean_up(agent):
    source = (
        "import asyncio\n"
        "async def task():\n"
        "    try:\n"
        "        print('ready')\n"
        "        await asyncio.sleep(60)\n"
        "    finally:\n"
        "        print('cleaned')\n"
    )
    process = agent.start(source, grace_seconds=20)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=30)
    assert stdout == b"cleaned\n", stderr
    assert process.returncode == 125


def test_a_signal_of_ones_own_is_a_failure_that_names_it(agent):
    ended = agent.run("import os\ndef task():\n    os.kill(os.getpid(), 15)\n")
    assert ended.returncode == 143
    assert "signal 15 (SIGTERM)" in agent.control_plane.finished["reason"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_user_code_end_by_sigterm_as_any_process(agent, method):
    source = (
        "import multiprocessing, time\n"
        "def work(pipe):\n    pipe.send(1)\n    time.sleep(60)\n"
        "def task():\n"
        f"    context = multiprocessing.get_context('{method}')\n"
        "    mine, theirs = context.Pipe()\n"
        "    process = context.Process(target=work, args=(theirs,))\n"
        "    process.start()\n"
        "    mine.recv()\n"
        "    process.terminate()\n"
        "    process.join()\n"
        "    return process.exitcode\n"
    )
    agent.run(source)
    assert returned(agent) == -15


def test_a_bash_command_has_sigterm_as_it_is_by_default(agent):
    command = "trap 'echo caught' TERM; trap - TERM; kill -TERM $$; echo not reached"
    ended = agent.run(kind="bash", module=None, function=None, command=command)
    assert ended.returncode == 143
    assert "not reached" not in ended.stdout


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
