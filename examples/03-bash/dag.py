"""Bash tasks: a function returns the command, the last line that it prints is the result."""

from leoflow import dag, task


@task
def words() -> list:
    return ["apple", "pear", "apple", "plum", "pear", "apple"]


@task.bash
def count(words: list) -> str:
    lines = "\\n".join(words)
    return f"printf '{lines}\\n' | grep -c apple"


@task.bash
def nothing_to_do() -> str:
    return "echo 'nothing new today'; exit 99"


@task(trigger_rule="none_failed")
def conclude(apples: str) -> str:
    return f"{apples} apples"


@dag
def bash() -> None:
    nothing_to_do() >> conclude(count(words()))


bash()
