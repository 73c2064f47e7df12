"""However a run ends, nothing of leoflow's is left behind and the exit code says what happened."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

SLEEPER = """
import os, signal, time
from leoflow import dag, task

@task
def sleep():
    if "STUBBORN" in os.environ:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("sleeping", flush=True)
    try:
        time.sleep(600)
    finally:
        print("cleaned up")

@dag
def sleeper():
    sleep()

sleeper()
"""


@pytest.fixture
def sleeper(project):
    folder = project("01-hello")
    (folder / "dag.py").write_text(SLEEPER)
    (folder / "leoflow.yaml").write_text(
        (folder / "leoflow.yaml").read_text().replace("dag_id: hello", "dag_id: sleeper")
    )
    return folder


def _wait_for(process, text: str) -> None:
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"{text!r} was never printed; exit code {process.wait()}")


@pytest.mark.engine
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_takes_its_containers_along(leoflow, engine, sleeper, number):
    with leoflow.start("run", sleeper, "--executor", "docker") as process:
        _wait_for(process, "sleeping")
        assert engine.running(leoflow.home)
        process.send_signal(number)
        _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cleaned up" in printed
    assert "failed: the run was cancelled" in printed
    assert engine.leftovers(leoflow.home) == []


@pytest.mark.engine
def test_a_second_interrupt_waits_for_nobody(leoflow, engine, sleeper):
    with (sleeper / "leoflow.yaml").open("a") as settings:
        settings.write('environment:\n  STUBBORN: "yes"\n')
    leoflow.environment["LEOFLOW_GRACE_SECONDS"] = "100"
    with leoflow.start("run", sleeper, "--executor", "docker") as process:
        _wait_for(process, "sleeping")
        process.send_signal(signal.SIGINT)
        _wait_for(process, "interrupt again")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - began < 50
    assert engine.leftovers(leoflow.home) == []


@pytest.mark.engine
def test_what_a_killed_run_left_behind_is_removed_by_the_next(leoflow, engine, sleeper, project):
    with leoflow.start("run", sleeper, "--executor", "docker") as process:
        _wait_for(process, "sleeping")
        process.kill()
        process.communicate(timeout=60)
    assert engine.leftovers(leoflow.home)
    code, _ = leoflow.json("run", project("01-hello"), "--executor", "docker")
    assert code == 0
    assert engine.leftovers(leoflow.home) == []


def test_the_process_of_a_killed_subprocess_run_ends_with_the_next(leoflow, sleeper, project):
    (sleeper / "dag.py").write_text(
        SLEEPER.replace('print("sleeping"', 'print("sleeping", os.getppid(), "!"')
    )
    with leoflow.start("run", sleeper, "--executor", "subprocess") as process:
        for line in process.stderr:
            if "sleeping" in line:
                agent = int(line.split("sleeping")[1].split()[0])
                break
        process.kill()
        process.communicate(timeout=60)
    leoflow("run", project("01-hello"), "--executor", "subprocess")
    assert _is_gone(agent)


def _is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_a_failed_run_exits_with_1_and_says_which_task_and_why(leoflow, project):
    folder = project("01-hello")
    source = (folder / "dag.py").read_text()
    broken = source.replace("return greeting.upper()", "raise ValueError('no voice')")
    (folder / "dag.py").write_text(broken)
    ended = leoflow("run", folder, "--executor", "subprocess")
    assert ended.returncode == 1
    assert "ValueError: no voice (dag.py:" in ended.stderr


def test_a_task_is_tried_again_and_every_try_is_a_new_process(leoflow, project):
    folder = project("01-hello")
    source = (folder / "dag.py").read_text()
    broken = source.replace(
        "def shout(greeting: str) -> str:\n",
        "def shout(greeting: str, try_number: int = 0) -> str:\n    assert try_number == 3\n",
    )
    assert broken != source
    (folder / "dag.py").write_text(broken)
    with (folder / "leoflow.yaml").open("a") as settings:
        settings.write("  retries: 2\n  retry_delay_seconds: 0.1\n")
    code, run = leoflow.json("run", folder, "--executor", "subprocess")
    assert code == 0
    assert [task["try_number"] for task in run["tasks"]] == [1, 3]
