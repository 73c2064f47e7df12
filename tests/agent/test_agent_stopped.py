"""How user code is told to stop, and has the time to clean up."""

from __future__ import annotations

import signal
import time

import pytest
from taskresult import returned


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
