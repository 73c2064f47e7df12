"""The way from the task's process to the control plane and back: inputs, and values in between."""

from __future__ import annotations

import json

PULL = """\
def task(ti, **_):
    a, b, large = [ti.xcom_pull("up", key=key) for key in ("a", "b", "large")]
    return [a, b, len(large)]
"""


def test_values_are_pulled_while_the_task_runs(agent):
    values = {"a": 1, "b": None, "large": "x" * 1_000_000}

    def script(path, _body):
        if not path.startswith("/agent/v1/xcom?task_id=up&key="):
            return None
        key = path.split("key=")[1].partition("&")[0]
        return 200, json.dumps({"value": values[key]}).encode()

    agent.control_plane.script = script
    ended = agent.run(PULL)
    assert ended.returncode == 0, ended.stderr
    assert agent.control_plane.of_type("xcom")[0]["value"] == [1, None, 1_000_000]


def test_values_are_pulled_after_large_inputs(agent):
    agent.control_plane.inputs = {
        "args": [],
        "kwargs": {"rows": ["x" * 100] * 10_000},
        "environment": {},
        "request": None,
    }
    agent.control_plane.script = lambda path, _: (
        (200, b'{"value": "abc"}') if path.startswith("/agent/v1/xcom") else None
    )
    agent.run(PULL, inputs=None)
    assert agent.control_plane.of_type("xcom")[0]["value"] == ["abc", "abc", 3]


def test_an_agent_that_is_killed_does_not_leave_the_task_waiting_for_inputs(agent):
    agent.control_plane.script = lambda *_: (503, b"")
    process = agent.start("def task():\n    pass\n", inputs=None)
    while not agent.control_plane.requests:
        assert process.poll() is None
    process.kill()
    # Both outputs end only once no process of the task holds them any more.
    _, errors = process.communicate(timeout=20)
    assert b"Traceback" not in errors
