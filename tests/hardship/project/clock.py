"""The wall clock jumps while the task runs: libfaketime reads the offset from a file."""

import os
import time

from leoflow import task


def jump(offset):
    print(f"ready {os.getpid()}", flush=True)
    with open("/tmp/offset", "w") as file:
        file.write(offset)
    before = time.time()
    while abs(time.time() - before) < 3600:
        time.sleep(0.02)


@task
def clock_jumps_forward():
    jump("+400d")
    time.sleep(1)
    return time.time()


@task
def clock_jumps_backward():
    jump("-400d")
    time.sleep(1)
    return time.time()


@task(execution_timeout_seconds=1.5)
def clock_jumps_and_time_runs_out():
    jump("-400d")
    time.sleep(600)


@task
def runs_in_the_past():
    return time.time()


TASKS = (clock_jumps_forward, clock_jumps_backward, clock_jumps_and_time_runs_out, runs_in_the_past)
