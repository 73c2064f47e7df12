"""Starts one try as an Airflow worker does: by the task supervisor of Airflow's SDK.

Its client is the SDK's own, which lets its answers come from a function in place of a server (its
`dry_run` has such a function, whose answers lack what this version asks for). So no connection is
made and no server's time is measured, and heartbeats and logs take the way that they always take.
"""

import sys
import uuid
from typing import Any

import httpx
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance
from airflow.sdk.execution_time.supervisor import supervise_task

INSTANT = "2026-01-01T00:00:00Z"
RUN: dict[str, Any] = {
    "dag_id": "airflow_noop",
    "run_id": "manual",
    "logical_date": INSTANT,
    "data_interval_start": INSTANT,
    "data_interval_end": INSTANT,
    "run_after": INSTANT,
    "start_date": INSTANT,
    "end_date": None,
    "run_type": "manual",
    "state": "running",
    "conf": {},
    "partition_key": None,
    "consumed_asset_events": [],
}


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as the execution API does: with the run's context, or that all is well."""
    if request.url.path.endswith("/run"):
        context = {"dag_run": RUN, "max_tries": 0, "should_retry": False}
        return httpx.Response(200, json=context)
    return httpx.Response(204)


def main() -> int:
    """Run the task and return the exit code of its process."""
    attempt = TaskInstance(
        id=uuid.uuid4(),
        task_id="clock",
        dag_id="airflow_noop",
        run_id="manual",
        try_number=1,
        dag_version_id=uuid.uuid4(),
    )
    transport = httpx.MockTransport(answer)
    code: int = supervise_task(
        ti=attempt,
        bundle_info=BundleInfo(name="dags-folder"),
        dag_rel_path="airflow_noop.py",
        token="",
        client=Client(base_url=None, dry_run=True, token="", transport=transport),
    )
    return code


if __name__ == "__main__":
    sys.exit(main())
