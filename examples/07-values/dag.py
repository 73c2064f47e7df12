"""What a task is given in confidence, leaves for others by key, and how it ends otherwise."""

import os

from leoflow import SkipTask, dag, task


@task(variables=["region"], connections=["warehouse"])
def load(ti) -> int:
    uri = os.environ["AIRFLOW_CONN_WAREHOUSE"]
    print("loading from", uri)
    rows = [3, 1, 2]
    ti.xcom_push("first", rows[0])
    ti.xcom_push("from", os.environ["AIRFLOW_VAR_REGION"])
    return len(rows)


@task
def report(**context) -> str:
    ti = context["ti"]
    rows, first = ti.xcom_pull("load"), ti.xcom_pull("load", key="first")
    return f"{rows} rows from {ti.xcom_pull('load', key='from')}, the first is {first}"


@task
def archive(params: dict) -> str:
    if not params["archive"]:
        raise SkipTask("nobody wants an archive")
    return "archived"


@dag(params={"archive": False})
def values():
    load() >> [report(), archive()]


values()
