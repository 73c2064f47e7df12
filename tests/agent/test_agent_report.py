"""What the agent and the control plane say to each other, in a real process over a real socket."""

from __future__ import annotations


def test_events_are_numbered_without_gaps_and_instants_are_in_order(agent):
    agent.run("def task():\n    print('a')\n")
    events = agent.control_plane.events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    entered = agent.control_plane.of_type("entered")[0]
    started = agent.control_plane.of_type("started")[0]
    left = agent.control_plane.finished["left"]
    assert started["agent_up"] <= entered["import_started"] <= entered["entered"] <= left


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
