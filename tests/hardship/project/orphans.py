"""Processes that a task leaves behind."""

import os
import signal
import time

from leoflow import task

ROOM = {"requests": {"cpu": "100m", "memory": "1Gi"}}


def orphan(act):
    """Run ``act`` in a process whose parent is gone."""
    if os.fork() == 0:
        if os.fork() == 0:
            act()
        os._exit(0)
    os.wait()


def stay():
    time.sleep(600)


def ignore_and_stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def daemonize_and_stay():
    os.setsid()
    time.sleep(600)


def daemonize_and_print():
    os.setsid()
    while True:
        os.write(1, b"and another line\n" * 1000)


def die():
    os._exit(1)


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


@task(resources=ROOM)
def leaves_500_orphans():
    for _ in range(125):
        for act in (ignore_and_stay, daemonize_and_stay, stay, die):
            orphan(act)
    return len(processes())


@task(resources=ROOM)
def orphans_are_reaped():
    for _ in range(500):
        orphan(die)
    for _ in range(100):
        if len(processes()) == 2:
            return "only the agent and the task are left"
        time.sleep(0.05)
    return processes()


@task(resources=ROOM)
def leaves_zombies():
    for _ in range(200):
        if os.fork() == 0:
            os._exit(0)
    time.sleep(0.1)
    return len(processes())


@task
def leaves_a_daemon_that_prints_without_end():
    orphan(daemonize_and_print)
    return "returned"


@task
def dies_and_leaves_a_daemon_that_prints_without_end():
    orphan(daemonize_and_print)
    os.kill(os.getpid(), signal.SIGKILL)


@task(resources=ROOM)
def forks_without_end():
    while True:
        if os.fork() == 0:
            time.sleep(600)


@task(resources=ROOM)
def everybody_forks_without_end():
    while True:
        os.fork()


@task.bash
def bash_leaves_children():
    return "for i in $(seq 50); do sleep 600 & done; trap '' TERM; echo started"


TASKS = (
    leaves_500_orphans,
    orphans_are_reaped,
    leaves_zombies,
    leaves_a_daemon_that_prints_without_end,
    dies_and_leaves_a_daemon_that_prints_without_end,
    forks_without_end,
    everybody_forks_without_end,
    bash_leaves_children,
)
