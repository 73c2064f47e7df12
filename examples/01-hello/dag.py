"""Two tasks, no dependency: the smallest DAG that passes a value on."""

from leoflow import dag, task


@task
def greet(name: str) -> str:
    return f"Hello, {name}!"


@task
def shout(greeting: str) -> str:
    print(greeting)
    return greeting.upper()


@dag
def hello() -> None:
    shout(greet("world"))


hello()
