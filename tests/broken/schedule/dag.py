from datetime import datetime, timedelta

from leoflow import dag, task


@task
def load(): ...


@dag(
    schedule='0 6 * *',
    start_date=datetime(2026, 1, 1),
    timezone='Europe/Wien',
    dagrun_timeout=timedelta(hours=1),
    max_active_runs=0,
)
def project():
    load()


project()
