"""One task that prints the clock and the CPU of the container so far, in seconds.

What it prints is its first line; it imports nothing that the interpreter has not loaded anyway.
"""

import posix
import time

from leoflow import dag, task


@task
def clock() -> None:
    now = time.time()
    # The CPU clock of each process, by the number that Linux gives it: clock_getcpuclockid(3).
    clocks = [~int(pid) << 3 | 2 for pid in posix.listdir("/proc") if pid.isdigit()]
    print(now, sum(map(time.clock_gettime, clocks)))


@dag
def noop() -> None:
    clock()


noop()
