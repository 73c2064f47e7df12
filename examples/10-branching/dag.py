"""Which way a run goes is decided while it runs, and what was made for it is cleaned up."""

from leoflow import dag, setup, task, task_group, teardown


@task.branch
def choose(params: dict) -> str:
    return "full.load" if params["orders"] > 1000 else "quick"


@task
def quick() -> str:
    return "loaded what is new"


@task_group(tooltip="The way for many orders")
def full():
    @task
    def load() -> str:
        return "loaded all"

    @task
    def index(loaded: str) -> str:
        return f"{loaded}, and indexed it"

    index(load())


@task(trigger_rule="none_failed_min_one_success")
def publish() -> str:
    return "published"


@task.short_circuit(ignore_downstream_trigger_rules=False)
def is_monday(params: dict) -> bool:
    return params["weekday"] == "Monday"


@task
def weekly() -> str:
    return "sent"


@task(trigger_rule="none_failed")
def finish() -> str:
    return "finished"


@setup
def make_table() -> str:
    return "orders_tmp"


@task
def count(table: str) -> str:
    raise ValueError(f"there is no column in {table}")


@teardown
def drop_table(table: str) -> str:
    return f"dropped {table}"


@task(trigger_rule="one_failed")
def alarm() -> str:
    return "somebody looks at it"


@dag(params={"orders": 20, "weekday": "Friday"})
def branching():
    published = publish()
    choose() >> [quick(), full()] >> published
    published >> is_monday() >> weekly() >> finish()
    table = make_table()
    with drop_table(table).as_teardown(setups=table):
        count(table) >> alarm()


branching()
