"""A run as the API tells it, and as the value that ``leoflow run`` reports of its own runs."""

from __future__ import annotations

import json
from typing import Any, cast

from leoflow_controlplane.model import RunResult, TaskResult

from leoflow_cli.client.answer import Refused
from leoflow_cli.client.api import Api, path

LATEST = "latest"
# The names go into a URL.
RETURNED_OF = 50
FINISHED_RUN = ("success", "failed")
FINISHED_TASK = ("success", "failed", "upstream_failed", "skipped", "removed")
Document = dict[str, Any]


def run_path(dag_id: str, run_id: str, *more: str | int) -> str:
    """Return the path of a run, or of something in it."""
    return path("dags", dag_id, "dagRuns", run_id, *more)


def find_run_id(api: Api, dag_id: str, run_id: str) -> str:
    """Return ``run_id``, or that of the DAG's newest run for "latest". Raises Refused."""
    if run_id != LATEST:
        return run_id
    query = {"limit": 1, "order_by": "-run_after"}
    found = api.get(path("dags", dag_id, "dagRuns"), query)["dag_runs"]
    if not found:
        text = f"DAG '{dag_id}' has no run yet. Start one: leoflow trigger {dag_id}"
        raise Refused(text, 404, text)
    return cast(str, found[0]["dag_run_id"])


def read_tasks(api: Api, dag_id: str, run_id: str) -> list[Document]:
    """Return all task instances of a run, mapped ones each, in the order of the DAG."""
    return api.all_of(run_path(dag_id, run_id, "taskInstances"), "task_instances")[0]


def add_returned(api: Api, run: Document, tasks: list[Document]) -> None:
    """Give ``return_value`` to tasks of a run that is over, if there are few enough to name."""
    named = [task for task in tasks if task["map_index"] < 0 and task["state"] == "success"]
    if run["state"] not in FINISHED_RUN or not 0 < len(named) <= RETURNED_OF:
        return
    where = run_path(run["dag_id"], run["dag_run_id"], "wait")
    for line in api.lines(where, {"result": [task["task_id"] for task in named]}):
        results = json.loads(line).get("results") or {}
        for task in named:
            task["return_value"] = results.get(task["task_id"])


def as_result(run: Document, tasks: list[Document]) -> RunResult:
    """Return a run as the value that is reported."""
    return RunResult(
        run["dag_id"],
        run["dag_run_id"],
        run["state"],
        run["reason"],
        run["dag_versions"][0]["bundle_name"] if run["dag_versions"] else "",
        tuple(_task_result(task) for task in tasks),
    )


def as_document(run: Document, tasks: list[Document]) -> Document:
    """Return what --json prints of a run: the API's words, and run_id as `leoflow run` has it."""
    return {"run_id": run["dag_run_id"], **run, "tasks": tasks}


def _task_result(task: Document) -> TaskResult:
    return TaskResult(
        task["task_id"],
        task["map_index"],
        task["state"],
        task["try_number"],
        task["reason"] or task.get("waits_for"),
        task.get("return_value"),
        task["artifacts"],
        task["timeline_ms"],
        {},
    )
