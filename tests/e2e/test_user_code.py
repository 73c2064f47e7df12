"""What tasks see, share and are given in confidence, in real containers and as subprocesses."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import docker
import pytest

SECRET = "hunter2-planted"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SETTINGS = "defaults:\n  resources:\n    requests: {cpu: 100m, memory: 64Mi}\n"
DAG = """\
import os
import time

from leoflow import SkipTask, dag, get_current_context, task


@task
def push(ti):
    ti.xcom_push("rows", [1, 2])
    ti.xcom_push("rows", [1, 2, 3])
    return "done"


@task
def pull(ti, **context):
    assert context["dag_run"].run_type == "manual"
    assert get_current_context()["ti"] is ti
    return [ti.xcom_pull("push"), ti.xcom_pull("push", key="rows"), ti.xcom_pull("push", key="x")]


@task
def skip():
    raise SkipTask("nothing new")


@task(variables=["region"], connections=["db"])
def secret():
    uri = os.environ["AIRFLOW_CONN_DB"]
    print("connecting to", uri)
    time.sleep(float(os.environ["AIRFLOW_VAR_REGION"]))
    return [os.environ.get("TRACEPARENT"), uri.endswith("@host/db")]


@task.bash(connections=["db"])
def shell() -> str:
    return 'echo "$AIRFLOW_CONN_DB"; echo "$TRACEPARENT"'


@dag
def values():
    push() >> pull()
    skip()
    secret()
    shell()


values()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "values"
    folder.mkdir()
    (folder / "dag.py").write_text(DAG)
    (folder / "leoflow.yaml").write_text(SETTINGS)
    return folder


@pytest.fixture
def told(leoflow: Any) -> Any:
    """Give leoflow what the tasks declare, beside a variable that none of them does."""
    leoflow.environment |= {
        "AIRFLOW_CONN_DB": f"postgres://me:{SECRET}@host/db",
        "AIRFLOW_CONN_OTHER": "postgres://other",
        "AIRFLOW_VAR_REGION": "0",
        "TRACEPARENT": PARENT,
    }
    return leoflow


@pytest.mark.parametrize(
    "executor", ["subprocess", pytest.param("docker", marks=pytest.mark.engine)]
)
def test_values_skips_secrets_and_traces(told: Any, folder: Path, executor: str) -> None:
    ended = told("run", folder, "--executor", executor, "--json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    tasks = {task["task_id"]: task for task in document["tasks"]}
    assert tasks["pull"]["return_value"] == ["done", [1, 2, 3], None]
    assert (tasks["skip"]["state"], tasks["skip"]["reason"]) == ("skipped", "nothing new")
    trace, whole = tasks["secret"]["return_value"]
    assert whole is True
    spans = {trace, tasks["shell"]["return_value"]}
    assert len(spans) == 2
    assert {span.split("-")[1] for span in spans} == {PARENT.split("-")[1]}
    assert "connecting to postgres://me:***@host/db" in ended.stderr
    assert SECRET not in ended.stdout + ended.stderr
    assert SECRET.encode() not in (told.home / "leoflow.db").read_bytes()
    assert SECRET.encode() not in b"".join(
        file.read_bytes() for file in folder.rglob("*") if file.is_file()
    )


@pytest.mark.engine
def test_no_secret_is_in_a_containers_configuration_or_its_log(told: Any, folder: Path) -> None:
    told.environment["AIRFLOW_VAR_REGION"] = "600"
    (folder / "dag.py").write_text(DAG.replace("@dag\n", "@dag('in_confidence')\n"))
    client = docker.from_env()
    with contextlib.closing(client), told.start("run", folder, "--executor", "docker") as process:
        try:
            for line in process.stderr:
                if "connecting to" in line:
                    break
            found = [
                container
                for container in client.containers.list(ignore_removed=True)
                if container.labels.get("leoflow.task_id") == "secret"
                and container.labels.get("leoflow.dag_id") == "in_confidence"
            ]
            shown = [json.dumps(container.attrs) for container in found]
            logs = [container.logs().decode() for container in found]
            process.terminate()
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert len(found) == 1
    assert SECRET not in shown[0]
    assert "AIRFLOW_CONN" not in shown[0]
    assert "***@host/db" in logs[0]
    assert SECRET not in logs[0]


def test_a_missing_connection_is_told_before_the_run_starts(told: Any, folder: Path) -> None:
    del told.environment["AIRFLOW_CONN_DB"]
    ended = told("run", folder, "--executor", "subprocess")
    assert ended.returncode == 2
    assert "dag.py:" in ended.stderr
    assert "declares the connection 'db', but AIRFLOW_CONN_DB is not set" in ended.stderr
