"""What ends a task from outside: signals, deadlines, and what it leaves running."""

from __future__ import annotations

import signal
import time


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
