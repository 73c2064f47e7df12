"""The wall clock jumps while the task runs: libfaketime reads the offset from a file."""

import os
import select
import time

from leoflow import task


def nap(seconds):
    """Sleep without a clock: time.sleep() counts to an instant, which libfaketime moves."""
    select.select([], [], [], seconds)


def jump(offset):
    print(f"ready {os.getpid()}", flush=True)
    before = time.time()
    # In one step: libfaketime ends a process that reads an empty file.
    with open("/tmp/offset.new", "w") as file:
        file.write(offset)
    os.replace("/tmp/offset.new", "/tmp/offset")
    while abs(time.time() - before) < 3600:
        nap(0.02)


@task
def clock_jumps_forward():
    jump("+400d")
    nap(1)
    return time.time()


@task
def clock_jumps_backward():
    jump("-400d")
    nap(1)
    return time.time()


@task(execution_timeout_seconds=1.5)
def clock_jumps_and_time_runs_out():
    jump("-400d")
    nap(600)


@task
def runs_in_the_past():
    return time.time()


TASKS = (clock_jumps_forward, clock_jumps_backward, clock_jumps_and_time_runs_out, runs_in_the_past)
