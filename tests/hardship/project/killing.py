"""Signals: of user code to itself, and of others to it. Those that wait say so, with their pid."""

import os
import signal
import sys
import time

from leoflow import task


def wait():
    print(f"ready {os.getpid()}", flush=True)
    time.sleep(600)


@task
def kills_itself():
    os.kill(os.getpid(), signal.SIGKILL)


@task
def sends_itself_sigusr1():
    os.kill(os.getpid(), signal.SIGUSR1)


@task
def tries_to_kill_the_agent():
    os.kill(1, signal.SIGKILL)
    os.kill(1, signal.SIGSEGV)
    return "the agent lives"


@task(execution_timeout_seconds=6)
def stops_itself():
    os.kill(os.getpid(), signal.SIGSTOP)


@task(execution_timeout_seconds=6)
def ignores_every_signal():
    for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    wait()


@task(execution_timeout_seconds=6)
def blocks_every_signal():
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    wait()


@task
def waits():
    wait()


@task(execution_timeout_seconds=5)
def waits_for_five_seconds():
    wait()


@task
def cleans_up_when_told_to_stop():
    def clean_up(number, frame):
        # Not print(), in the middle of which the signal may have come.
        os.write(1, b"cleaned up\n")
        sys.exit(3)

    signal.signal(signal.SIGTERM, clean_up)
    wait()


@task
def finishes_when_told_to_stop():
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(1))
    print(f"ready {os.getpid()}", flush=True)
    while not told:
        time.sleep(0.02)
    return "done in time"


@task
def takes_two_seconds():
    print(f"ready {os.getpid()}", flush=True)
    time.sleep(2)
    return "done"


TASKS = (
    kills_itself,
    sends_itself_sigusr1,
    tries_to_kill_the_agent,
    stops_itself,
    ignores_every_signal,
    blocks_every_signal,
    waits,
    waits_for_five_seconds,
    cleans_up_when_told_to_stop,
    finishes_when_told_to_stop,
    takes_two_seconds,
)
