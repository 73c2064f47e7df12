"""A run as the API tells it, and as the value that ``leoflow run`` reports of its own runs."""

from __future__ import annotations

from typing import Any, cast

from leoflow_controlplane.model import RunResult, TaskResult

from leoflow_cli.client.answer import Refused
from leoflow_cli.client.api import Api, path

LATEST = "latest"
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


def as_result(run: Document, tasks: list[Document]) -> RunResult:
    """Return a run as the value that is reported."""
    return RunResult(
        run["dag_id"],
        run["dag_run_id"],
        run["state"],
        run.get("reason"),
        run.get("image") or "",
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
        task.get("reason"),
        None,
        task.get("artifacts"),
        task.get("timeline_ms") or {},
        task.get("instants") or {},
    )
