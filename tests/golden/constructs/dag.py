from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from leoflow import TaskGroup, dag, setup, task, task_group, teardown


@task(wait_for_downstream=True, max_active_tis_per_dag=1)
def days(logical_date) -> list:
    return [1, 2]


@task(
    retries=4,
    retry_exponential_backoff=True,
    max_retry_delay_seconds=600,
    max_active_tis_per_dagrun=2,
)
def load(day: int, region: str) -> int:
    return day


@task.bash
def show(text: str) -> str:
    return f"echo {text}"


@task(trigger_rule="none_failed_min_one_success")
def add(loaded: list) -> int:
    return sum(loaded)


@task.branch
def choose(n: int) -> str:
    return "ways.large" if n > 2 else "ways"


@task.short_circuit(trigger_rule="none_failed", ignore_downstream_trigger_rules=False)
def goes_on() -> bool:
    return True


@task_group(group_id="ways", tooltip="two of them")
def both_ways():
    @task
    def large() -> None: ...

    @task
    def small() -> None: ...

    large()
    small()


@setup
def make() -> str:
    return "table"


@teardown(on_failure_fail_dagrun=True)
def remove() -> None: ...


@dag(
    schedule=timedelta(hours=6),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Vienna")),
    end_date="2026-12-31",
    catchup=True,
    max_active_runs=2,
    max_active_tasks=4,
    dagrun_timeout_seconds=3600,
    is_paused_upon_creation=False,
    default_args={"retries": 1},
    on_success_webhooks=["https://example.org/hook"],
)
def constructs():
    loaded = load.partial(region="north").expand(day=days())
    with TaskGroup("rest") as rest:
        show.expand_kwargs([{"text": "a"}, {"text": "b"}])
    choose(add(loaded)) >> both_ways() >> goes_on() >> rest
    table = make()
    with remove().as_teardown(setups=table):
        load.override(task_id="again")(1, table)


constructs()
