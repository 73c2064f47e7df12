"""From the agent's first line to the poll loop: no signal is lost, user code sees none of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from signal import SIGTERM

import pytest
from leoflow_agent import exitcode

ATTEMPTS = 20
MASK = """\
import signal
def task():
    return [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())]
"""


def is_held(pid: int, signal: int) -> bool:
    """Tell whether a process holds a signal back, waiting until it is about to listen to it."""
    while True:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        bit = 1 << (signal - 1)
        if int(status["SigBlk"], 16) & bit:
            return True
        if int(status["SigCgt"], 16) & bit or status["State"].strip()[0] == "Z":
            return False


def test_a_signal_that_comes_before_anybody_listens_still_stops_the_task(agent):
    source = "import time\ntime.sleep(0.1)\ndef task():\n    time.sleep(60)\n"
    for _ in range(ATTEMPTS):
        # On a machine that is busy the one who looks comes first.
        with agent.start(source, prepare=lambda: os.nice(19)) as process:
            seen = is_held(process.pid, SIGTERM)
            process.send_signal(SIGTERM)
            assert process.wait(timeout=30) == exitcode.TERMINATED
        assert agent.control_plane.finished["reason"] == "stopped by signal 15"
        if seen:
            return
        # This process was away for the few milliseconds in question.
        agent.control_plane.events.clear()
    pytest.fail(f"in {ATTEMPTS} starts the signal was never held back")


@pytest.mark.parametrize("fresh", [False, True])
def test_user_code_can_get_every_signal(agent, fresh):
    agent.run(MASK, fresh_interpreter=fresh)
    assert agent.control_plane.of_type("xcom")[0]["value"] == []


def test_bash_can_get_every_signal(agent):
    agent.run(kind="bash", module=None, function=None, command="grep SigBlk /proc/self/status")
    assert int(agent.control_plane.of_type("xcom")[0]["value"].split()[1], 16) == 0


def test_user_code_finds_the_package_and_json_as_if_nothing_had_loaded_them(agent):
    """The bundle loads both in ways of its own; what they say of themselves is the usual."""
    source = """\
import importlib.util, json, sys
import leoflow
def task():
    own, extension = sys.modules["leoflow"], sys.modules["_json"]
    return {
        "file": own.__file__.rpartition("/agent/")[2],
        "package": [own.__package__, own.registry.__package__],
        "found": importlib.util.find_spec("leoflow").name,
        "spec": [own.__spec__.name, own.registry.__spec__.parent],
        "late": leoflow.DagError.__module__,
        "extension": extension.__spec__.name,
        "json": json.loads("[1]"),
    }
"""
    agent.run(source)
    said = json.dumps(agent.control_plane.of_type("xcom")[0]["value"])
    assert json.loads(said) == {
        "file": "leoflow/__init__.py",
        "package": ["leoflow", "leoflow"],
        "found": "leoflow",
        "spec": ["leoflow", "leoflow"],
        "late": "leoflow.mistake",
        "extension": "_json",
        "json": [1],
    }


def test_processes_that_user_code_starts_find_the_package(agent, compiled_entry):
    source = """\
import os, subprocess, sys
def task():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "import leoflow; print(leoflow.task.bash.__name__)"
    return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
"""
    agent.run(source)
    assert agent.control_plane.of_type("xcom")[0]["value"] == "bash\n"


def test_a_failure_is_told_where_user_code_left_nothing_to_tell_it_with(agent):
    source = """\
import resource
def task():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    raise ValueError("the disk is on fire")
"""
    assert agent.run(source).returncode == exitcode.USER_FAILURE
    assert "ValueError: the disk is on fire" in agent.control_plane.finished["reason"]
