"""Each working day at half past six in Vienna, of which `leoflow run` makes one run."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from leoflow import dag, task


@task
def interval(data_interval_start: datetime, data_interval_end: datetime) -> bool:
    return data_interval_start <= data_interval_end


@task(
    retries=3,
    retry_delay_seconds=60,
    retry_exponential_backoff=True,
    max_retry_delay_seconds=timedelta(minutes=10).total_seconds(),
    max_active_tis_per_dag=1,
)
def load(logical_date: datetime, in_order: bool) -> str:
    local = logical_date.astimezone(ZoneInfo("Europe/Vienna"))
    return f"in order: {in_order}, with an offset: {local.tzinfo is not None}"


@dag(
    schedule="30 6 * * 1-5",
    timezone="Europe/Vienna",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout_seconds=3600,
)
def schedule():
    load(in_order=interval())


schedule()
