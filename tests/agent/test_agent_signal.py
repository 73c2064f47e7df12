"""What ends a task from outside: signals, deadlines, and what it leaves running."""

from __future__ import annotations

import ctypes
import json
import signal
import time
from pathlib import Path

import pytest


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


def _said(agent, text):
    """Wait until the control plane has got ``text`` in the log."""
    end = time.monotonic() + 20
    while text not in agent.control_plane.log:
        assert time.monotonic() < end, agent.control_plane.events
        time.sleep(0.01)


# A print() in a handler fails if the signal comes in the middle of another one.
NOTE_SIGNALS = """\
import os, signal, time
def task():
    for number in (1, 2, 3, 10, 12, 15, 28):
        signal.signal(number, lambda number, _: os.write(1, b'got %d\\n' % number))
    print('ready')
    while True:
        time.sleep(0.05)
"""


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH"])
def test_signals_are_passed_on_and_do_not_end_the_task(agent, name):
    process = agent.start(NOTE_SIGNALS, grace_seconds=0.3)
    _said(agent, "ready")
    process.send_signal(getattr(signal, name))
    _said(agent, f"got {int(getattr(signal, name))}")
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 125


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_a_signal_that_ends_comes_as_it_is_and_a_second_one_too(agent, name):
    number = getattr(signal, name)
    process = agent.start(NOTE_SIGNALS, grace_seconds=1.5)
    _said(agent, "ready")
    process.send_signal(number)
    _said(agent, f"got {int(number)}\n")
    process.send_signal(number)
    _said(agent, f"got {int(number)}\n" * 2)
    began = time.monotonic()
    process.communicate(timeout=20)
    assert process.returncode == 125
    assert time.monotonic() - began < 10, "the second signal must not begin another grace"
    assert agent.control_plane.finished["reason"] == f"stopped by signal {int(number)}"


def test_an_interrupt_lets_finally_clauses_run(agent):
    source = (
        "import time\ndef task():\n    try:\n        print('ready')\n        time.sleep(60)\n"
        "    finally:\n        print('cleaned')\n"
    )
    process = agent.start(source, grace_seconds=20)
    _said(agent, "ready")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert "cleaned" in agent.control_plane.log


def test_a_signal_reaches_what_the_task_started(agent):
    source = (
        "import signal, subprocess\ndef task():\n"
        "    signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "    subprocess.run(['sh', '-c', 'trap \"echo heard; exit\" TERM; echo ready;"
        " while :; do sleep 0.05; done'])\n"
    )
    process = agent.start(source, grace_seconds=20)
    _said(agent, "ready")
    process.terminate()
    process.communicate(timeout=20)
    assert "heard" in agent.control_plane.log


def test_a_signal_ends_the_wait_for_a_control_plane_that_is_away(agent):
    """Whoever sends it kills soon: the verdict has to be left before that."""
    agent.control_plane.script = lambda *_: (0, b"")
    process = agent.start("import sys\ndef task():\n    print('over'); sys.exit(7)\n")
    assert process.stdout.readline() == b"over\n"
    time.sleep(1)
    assert process.poll() is None
    began = time.monotonic()
    process.terminate()
    process.communicate(timeout=20)
    assert time.monotonic() - began < 15
    assert process.returncode == 7
    assert json.loads(agent.verdict_file.read_text()) == {
        "state": "failed",
        "reason": "user code left with sys.exit(7)",
        "exit_code": 7,
    }


def test_a_signal_while_the_control_plane_is_away_ends_task_and_agent(agent):
    agent.control_plane.script = lambda *_: (0, b"")
    process = agent.start("import time\ndef task():\n    print('on'); time.sleep(60)\n")
    assert process.stdout.readline() == b"on\n"
    began = time.monotonic()
    process.terminate()
    process.communicate(timeout=20)
    assert time.monotonic() - began < 15
    assert process.returncode == 125
    assert json.loads(agent.verdict_file.read_text())["reason"] == "stopped by signal 15"


def test_a_control_plane_that_is_back_for_the_last_attempt_gets_the_verdict(agent):
    agent.control_plane.script = lambda *_: (0, b"")
    process = agent.start("def task():\n    print('over')\n")
    assert process.stdout.readline() == b"over\n"
    time.sleep(2)
    agent.control_plane.script = lambda *_: None
    process.terminate()
    process.communicate(timeout=20)
    assert agent.control_plane.finished["state"] == "success"
    assert process.returncode == 0
    assert not agent.verdict_file.exists()


def _become_subreaper():
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def test_hundreds_of_orphans_are_reaped(agent):
    source = (
        "import os, time\ndef task():\n"
        "    for _ in range(300):\n"
        "        if os.fork() == 0:\n"
        "            if os.fork() == 0:\n"
        "                time.sleep(0.2)\n"
        "            os._exit(0)\n"
        "        os.wait()\n"
        "    print('ready')\n    time.sleep(60)\n"
    )
    process = agent.start(source, prepare=_become_subreaper, grace_seconds=0.3)
    _said(agent, "ready")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + 20
    while len(children.read_text().split()) > 1:
        assert time.monotonic() < end
        time.sleep(0.01)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 125


@pytest.mark.parametrize("jump", [86400, -86400])
def test_a_jump_of_the_wall_clock_changes_no_deadline(agent, clock, jump):
    agent.environment = clock(CLOCK_JUMP=jump)
    source = "import time\ndef task():\n    time.sleep(0.6); print(time.time()); time.sleep(60)\n"
    process = agent.start(source, execution_timeout_seconds=3.0, grace_seconds=0.3)
    began = time.monotonic()
    stdout, _ = process.communicate(timeout=20)
    assert abs(float(stdout) - time.time() - jump) < 60, "the clock has to jump in this test"
    assert process.returncode == 124
    assert time.monotonic() - began > 2
