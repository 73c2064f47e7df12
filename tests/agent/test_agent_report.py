"""What the agent and the control plane say to each other, in a real process over a real socket."""

from __future__ import annotations

import json
import time

import pytest
from leoflow_agent import exitcode


def test_events_are_numbered_without_gaps_and_instants_are_in_order(agent):
    agent.run("def task():\n    print('a')\n")
    events = agent.control_plane.events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    entered = agent.control_plane.of_type("entered")[0]
    started = agent.control_plane.of_type("started")[0]
    left = agent.control_plane.finished["left"]
    assert started["agent_up"] <= entered["import_started"] <= entered["entered"] <= left


def test_what_was_returned_and_the_end_come_in_one_report(agent):
    agent.run("import time\ndef task():\n    time.sleep(0.2)\n    return 7\n")
    last = agent.control_plane.requests[-1][2]
    assert [event["type"] for event in last["events"]] == ["xcom", "finished"]


def test_the_end_is_reported_before_the_process_is_gone_and_the_agent_waits_for_that(agent):
    """And no longer than the grace, whatever user code did to the way out."""
    began = time.monotonic()
    ended = agent.run(
        "import time\n"
        "from leoflow_agent import child\n"
        "settled = []\n"
        "def settle(messages):\n"
        "    settled.append(messages)\n"
        "    time.sleep(60 if len(settled) == 2 else 0)\n"
        "def task():\n"
        "    child.Messages.settle = settle\n"
        "    return 7\n",
        grace_seconds=1.5,
    )
    gone = time.time()
    assert ended.returncode == 0
    assert 1.5 < time.monotonic() - began < 30
    # The grace begins once the end was put down: a slow machine only makes this longer.
    assert gone - agent.control_plane.finished["at"] > 1


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


def test_without_inputs_a_task_begins_only_once_its_agent_was_heard(agent, clock, tmp_path):
    """And its time counts from then. The agent's clock goes fifty times as fast."""
    agent.environment = clock(CLOCK_SPEED=50)
    begun = tmp_path / "begun"
    agent.control_plane.inputs = {"args": [], "kwargs": {}, "environment": {}, "request": None}
    away = iter([(503, b"")] * 50)
    early = []

    def script(*_):
        early.append(begun.exists())
        return next(away, None)

    agent.control_plane.script = script
    source = f"def task():\n    open({str(begun)!r}, 'x')\n"
    ended = agent.run(source, inputs=None, execution_timeout_seconds=90.0)
    assert ended.returncode == 0, ended.stderr
    assert early[:51] == [False] * 51
    assert begun.exists()
    assert agent.control_plane.finished["state"] == "success"


def test_a_task_whose_agent_is_refused_never_begins(agent, tmp_path):
    begun = tmp_path / "begun"
    agent.control_plane.script = lambda *_: (401, b"the token is in use by another agent")
    ended = agent.run(f"def task():\n    open({str(begun)!r}, 'x')\n", inputs=None)
    assert ended.returncode == exitcode.TERMINATED
    assert "the token is in use by another agent" in ended.stderr
    assert not begun.exists()


def test_the_token_is_sent_and_is_not_in_the_environment_of_user_code(agent):
    source = "import os, subprocess\ndef task():\n    return subprocess.getoutput('env')\n"
    agent.run(source)
    assert agent.control_plane.requests[0][1] == "secret-token"
    assert "secret-token" not in agent.control_plane.of_type("xcom")[0]["value"]


BAD = [
    b"HTTP/1.1 ",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno route!",
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    b"\x00" * 100_000,
    (204, b""),
    (502, b"<html>Bad Gateway</html>"),
    (200, b"<html>Log in</html>"),
    (200, b"[]"),
    (200, b"[" * 50_000),
    (200, b'{"ack":1e400,"terminate":null,"heartbeat_seconds":10}'),
    (200, b'{"ack":99999,"terminate":null,"heartbeat_seconds":10}'),
    (200, b'{"ack":-1,"terminate":null,"heartbeat_seconds":NaN}'),
    (200, b'{"ack":1,"terminate":7,"heartbeat_seconds":1e308}'),
    (200, b'{"ack":"1","terminate":null,"heartbeat_seconds":"x"}'),
    (200, b" " * 5_000_000),
]


@pytest.mark.parametrize("first", [0, 5, 10, 15])
def test_no_answers_whatever_disturb_the_task_or_lose_anything(agent, first):
    answers = [answer for bad in BAD[first : first + 5] for answer in (bad, None)]
    script = iter(answers)
    agent.control_plane.script = lambda *_: next(script, None)
    source = (
        "import time\ndef task():\n"
        "    for n in range(60):\n        print('line', n); time.sleep(0.02)\n    return 1\n"
    )
    ended = agent.run(source)
    assert ended.returncode == 0, ended.stderr
    assert next(script, "all") == "all"
    assert agent.control_plane.log == "".join(f"line {n}\n" for n in range(60)) == ended.stdout
    assert agent.control_plane.finished["state"] == "success"


def test_a_task_that_behaves_loads_no_more_than_it_needs(agent):
    agent.python = agent.python._replace(command=(*agent.python.command, "-X", "importtime"))
    ended = agent.run("def task():\n    return 1\n")
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "leoflow_agent.supervisor" in loaded
    for name in ("context", "failure", "http.task", "resolver", "testament", "tls", "verdict"):
        assert f"leoflow_agent.{name}" not in loaded
    assert not loaded & {"json", "os", "re", "socket", "ssl", "typing"}


def test_inputs_that_are_none_do_not_reach_the_task(agent):
    script = iter([(200, b"<html>Log in</html>"), (502, b""), b"HTTP/1.1 404 No\r\n\r\n"])
    agent.control_plane.script = lambda *_: next(script, None)
    agent.control_plane.inputs = {"args": [7], "kwargs": {}, "environment": {}, "request": None}
    ended = agent.run("def task(n):\n    return n\n", inputs=None)
    assert ended.returncode == 0, ended.stderr
    assert agent.control_plane.of_type("xcom")[0]["value"] == 7


def test_ten_minutes_without_a_control_plane_are_no_matter_to_a_task(agent, clock):
    """The agent's clock goes a hundred times as fast."""
    agent.environment = clock(CLOCK_SPEED=100)
    source = (
        "import time\ndef task():\n"
        "    end = time.monotonic() + 700\n    n = 0\n"
        "    while time.monotonic() < end:\n        print('line', n); n += 1; time.sleep(10)\n"
        "    return n\n"
    )
    away_until = time.monotonic() + 6.2
    asked = []

    def script(*_):
        if time.monotonic() > away_until:
            return None
        asked.append(1)
        return 0, b""

    agent.control_plane.script = script
    ended = agent.run(source)
    assert ended.returncode == 0, ended.stderr
    assert len(asked) < 200
    (value,) = (event["value"] for event in agent.control_plane.of_type("xcom"))
    assert value > 30
    assert agent.control_plane.log == "".join(f"line {n}\n" for n in range(value))
    events = agent.control_plane.events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_a_verdict_is_waited_with_for_ten_minutes_and_then_left(agent, clock):
    agent.environment = clock(CLOCK_SPEED=200)
    agent.control_plane.script = lambda *_: (0, b"")
    began = time.monotonic()
    ended = agent.run("def task():\n    raise ValueError('no rows')\n")
    assert 600 / 200 < time.monotonic() - began < 20
    assert ended.returncode == 1
    assert json.loads(agent.verdict_file.read_text()) == {
        "state": "failed",
        "reason": "ValueError: no rows (steps.py:2)",
        "exit_code": 1,
    }
    assert "did not come for the verdict: failed, ValueError: no rows" in ended.stderr


def test_a_verdict_of_any_length_fits_into_a_termination_message(agent):
    source = "def task():\n    raise ValueError('€' * 100_000)\n"
    agent.run(source, endpoint="unix:/nonexisting", patience_seconds=0.1)
    text = agent.verdict_file.read_text()
    assert 1000 < len(text) <= 4096
    assert json.loads(text)["reason"].endswith("€…")


@pytest.mark.parametrize("path", ["/proc/none/verdict", "/dev/full"])
def test_a_verdict_that_cannot_be_left_is_said_and_is_the_exit_code(agent, path):
    agent.environment = {"LEOFLOW_VERDICT_FILE": path}
    source = "import sys\ndef task():\n    sys.exit(9)\n"
    ended = agent.run(source, endpoint="unix:/nonexisting", patience_seconds=0.1)
    assert ended.returncode == 9
    assert "the verdict cannot be left in the container: " in ended.stderr
    assert "user code left with sys.exit(9)" in ended.stderr


def test_an_agent_that_fails_itself_says_so_and_ends_the_task(agent):
    """Here the task writes into the agent's own pipe what no agent writes."""
    source = (
        "import os, time\ndef task():\n"
        "    for fd in range(3, 20):\n"
        "        try:\n            os.write(fd, b'F\\0\\0\\0\\1x')\n        except OSError:\n"
        "            pass\n"
        "    time.sleep(60)\n"
    )
    began = time.monotonic()
    ended = agent.run(source)
    assert time.monotonic() - began < 20
    assert ended.returncode == 126
    assert "Traceback" in ended.stderr
    left = json.loads(agent.verdict_file.read_text())
    assert left["exit_code"] == 126
    assert left["reason"].startswith("the agent inside the container failed: ValueError(")
