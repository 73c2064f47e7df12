"""One task that prints the clock: its first line is the first line of user code."""

import time

from leoflow import dag, task


@task
def clock() -> None:
    print(time.time())


@dag
def noop() -> None:
    clock()


noop()
