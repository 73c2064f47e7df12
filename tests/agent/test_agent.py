"""The agent as a whole: a real process, a real socket, user code that does what user code does."""

from __future__ import annotations

import json
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

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


def test_events_are_numbered_without_gaps_and_instants_are_in_order(agent):
    agent.run("def task():\n    print('a')\n")
    events = agent.control_plane.events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    entered = agent.control_plane.of_type("entered")[0]
    started = agent.control_plane.of_type("started")[0]
    left = agent.control_plane.finished["left"]
    assert started["agent_up"] <= entered["import_started"] <= entered["entered"] <= left


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


def test_bash_pipes_end_quietly_because_sigpipe_is_restored(agent):
    ended = agent.run(kind="bash", module=None, function=None, command="yes | head -1")
    assert ended.returncode == 0
    assert ended.stderr == ""


def test_a_timeout_ends_the_task_and_what_it_started(agent, tmp_path):
    source = (
        "import subprocess, time\n"
        "def task():\n"
        f"    subprocess.Popen(['sh', '-c', 'sleep 3; echo late > {tmp_path}/late'])\n"
        "    time.sleep(60)\n"
    )
    ended = agent.run(source, execution_timeout_seconds=0.5)
    assert ended.returncode == 124
    assert "execution_timeout_seconds = 0.5" in agent.control_plane.finished["reason"]
    assert not (tmp_path / "late").exists()


def test_a_task_that_ignores_sigterm_is_killed_after_the_grace(agent):
    source = (
        "import signal, time\n"
        "def task():\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    time.sleep(60)\n"
    )
    began = time.monotonic()
    ended = agent.run(source, execution_timeout_seconds=0.3, grace_seconds=0.3)
    assert ended.returncode == 124
    assert time.monotonic() - began < 20


def test_sigterm_to_the_agent_gives_user_code_time_to_clean_up(agent):
    source = (
        "import os, signal, sys, time\n"
        "def task():\n"
        "    clean = lambda *_: (os.write(1, b'cleaned\\n'), sys.exit(4))\n"
        "    signal.signal(signal.SIGTERM, clean)\n"
        "    print('ready')\n"
        "    time.sleep(60)\n"
    )
    process = agent.start(source, grace_seconds=20)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=30)
    assert stdout == b"cleaned\n"
    assert process.returncode == 125
    assert agent.control_plane.finished["reason"] == "stopped by signal 15"


def test_terminate_in_the_reply_stops_the_task(agent):
    agent.control_plane.terminate = "the run was cancelled"
    ended = agent.run("import time\ndef task():\n    time.sleep(60)\n")
    assert ended.returncode == 125
    assert agent.control_plane.finished["reason"] == "the run was cancelled"


def test_a_refused_try_stops_and_says_why(agent):
    agent.control_plane.script = lambda *_: (409, b"try 1 is not the current one")
    ended = agent.run("import time\ndef task():\n    time.sleep(60)\n")
    assert ended.returncode == 125
    assert agent.control_plane.events == []


def test_a_control_plane_that_is_away_is_waited_for_and_loses_nothing(agent):
    failures = iter([(500, b"oops"), (0, b""), (503, b""), (200, b"not json"), (0, b"")])
    agent.control_plane.script = lambda *_: next(failures, None)
    ended = agent.run("def task():\n    print('here')\n    return 1\n")
    assert ended.returncode == 0
    assert agent.control_plane.finished["state"] == "success"
    assert agent.control_plane.log == "here\n"


def test_a_report_whose_answer_was_lost_is_sent_again_with_the_same_numbers(agent):
    lost = iter([True])

    def lose_first_answer(_path, body):
        if next(lost, False):
            agent.control_plane.events.extend(body["events"])
            return 0, b""
        return None

    agent.control_plane.script = lose_first_answer
    agent.run("def task():\n    return 1\n")
    events = agent.control_plane.events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_large_inputs_are_asked_for(agent):
    rows = [[n, "x" * 20] for n in range(10_000)]
    agent.control_plane.inputs = {"args": [rows], "kwargs": {}, "environment": {}, "request": None}
    agent.run("def task(rows):\n    return len(rows)\n", inputs=None)
    assert agent.control_plane.of_type("xcom")[0]["value"] == 10_000


def test_the_token_is_sent_and_is_not_in_the_environment_of_user_code(agent):
    source = "import os, subprocess\ndef task():\n    return subprocess.getoutput('env')\n"
    agent.run(source)
    assert agent.control_plane.requests[0][1] == "secret-token"
    assert "secret-token" not in agent.control_plane.of_type("xcom")[0]["value"]


def test_context_is_given_to_the_parameters_that_ask_for_it(agent):
    source = (
        "def task(n, params, *, ds, ti, dag_run=None, other=3):\n"
        "    return [n, params['color'], ds, ti.task_id, dag_run.run_id, other]\n"
    )
    agent.run(source, args=[1])
    value = agent.control_plane.of_type("xcom")[0]["value"]
    assert value == [1, "red", "2026-01-02", "t", "r", 3]


def test_an_argument_given_in_the_dag_wins_over_the_context(agent):
    agent.run("def task(params):\n    return params\n", kwargs={"params": 5})
    assert agent.control_plane.of_type("xcom")[0]["value"] == 5


def test_an_async_function_is_awaited(agent):
    agent.run("import asyncio\nasync def task():\n    await asyncio.sleep(0)\n    return 1\n")
    assert agent.control_plane.of_type("xcom")[0]["value"] == 1


def test_declared_python_variables_reach_a_fresh_interpreter(agent):
    agent.environment = {"PYTHONHASHSEED": "0"}
    source = "import sys\ndef task(n):\n    return [sys.flags.hash_randomization, n]\n"
    agent.run(source, fresh_interpreter=True, args=[2])
    assert agent.control_plane.of_type("xcom")[0]["value"] == [0, 2]


def test_user_code_may_spawn_processes_that_import_the_project(agent):
    source = (
        "import multiprocessing\n"
        "def double(n):\n"
        "    return 2 * n\n"
        "def task():\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        return pool.map(double, [1, 2])\n"
    )
    ended = agent.run(source)
    assert ended.returncode == 0, ended.stderr
    assert agent.control_plane.of_type("xcom")[0]["value"] == [2, 4]


def test_bytes_that_are_not_utf8_and_lines_without_an_end_are_logged(agent):
    source = (
        "import os\ndef task():\n    os.write(1, b'\\xff\\xfe\\n')\n    os.write(1, b'no end')\n"
    )
    agent.run(source)
    assert agent.control_plane.log == "\ufffd\ufffd\nno end"


def test_a_flood_of_output_loses_lines_and_says_so_but_never_the_verdict(agent):
    agent.control_plane.script = lambda *_: (
        (503, b"") if not (agent.folder / "done").exists() else None
    )
    source = (
        "import os\ndef task():\n"
        "    for n in range(2000):\n        os.write(1, b'x' * 9999 + b'\\n')\n"
        "    open('done', 'w').close()\n"
    )
    ended = agent.run(source)
    assert ended.returncode == 0
    assert len(ended.stdout) == 2000 * 10_000
    assert "bytes of the log were dropped here" in agent.control_plane.log
    assert agent.control_plane.finished["state"] == "success"


def test_a_closed_stdout_is_no_failure(agent):
    ended = agent.run("import os\ndef task():\n    os.close(1)\n    return 1\n")
    assert agent.control_plane.finished["state"] == "success"
    assert ended.returncode == 0


def test_orphans_that_keep_the_output_open_do_not_hold_up_the_verdict(agent):
    source = (
        "import subprocess\ndef task():\n"
        "    subprocess.Popen(['sleep', '30'], start_new_session=True)\n"
    )
    began = time.monotonic()
    process = agent.start(source)
    assert process.wait(timeout=25) == 0
    assert time.monotonic() - began < 20
    process.stdout.close()
    process.stderr.close()


def test_a_missing_workload_is_said(agent):
    agent.environment = {"LEOFLOW_WORKLOAD": "{"}
    ended = agent.run()
    assert ended.returncode == 120
    assert "LEOFLOW_WORKLOAD cannot be read" in ended.stderr


class _Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer = json.dumps({"path": self.path, "body": json.loads(body)}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def http_server():
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _request(url: str, method: str = "POST", body: object = None) -> dict[str, object]:
    return {
        "method": method,
        "url": url,
        "headers": {},
        "query": {"q": "1"},
        "body": body,
        "timeout_seconds": 5.0,
        "success_codes": [200, 201],
    }


def test_an_http_task_in_a_container_returns_the_body_of_the_answer(agent, http_server):
    request = _request(http_server + "/items", body={"a": 1})
    agent.run(kind="http_api", module=None, function=None, request=request)
    value = agent.control_plane.of_type("xcom")[0]["value"]
    assert value == {"path": "/items?q=1", "body": {"a": 1}}


def test_an_http_task_fails_on_a_status_that_is_not_a_success(agent, http_server):
    request = _request(http_server + "/items", method="GET")
    agent.run(kind="http_api", module=None, function=None, request=request)
    assert "was answered with 404" in agent.control_plane.finished["reason"]
