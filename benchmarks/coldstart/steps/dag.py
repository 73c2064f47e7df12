"""Tasks that do next to nothing, each in its own way; `first` and `second` are an edge."""

import time

from leoflow import dag, task


@task
def first() -> None:
    pass


@task
def second() -> None:
    print(time.time(), time.process_time())


@task
def text() -> str:
    return "x" * 10240


@task
def take(text: str) -> None:
    assert len(text) == 10240


@task.bash
def shell() -> str:
    return "true"


@dag
def steps() -> None:
    first() >> second()
    take(text())
    shell()


steps()
