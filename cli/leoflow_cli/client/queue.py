"""Why a run of a control plane, or a task of it, has not begun yet. Asks for it only; what begins
meanwhile is told by its state.
"""

from __future__ import annotations

from leoflow_cli.client.api import Api, path
from leoflow_cli.client.log import LogReader, Try
from leoflow_cli.client.run import Document

# A backfill lets its own through, by a limit of its own.
_COUNTED = ("manual", "scheduled")
# The log of each is asked for.
MOST_ASKED = 20


def find_wait(api: Api, run: Document) -> str | None:
    """Say what a queued run waits for and what to do about it; None if nothing holds it."""
    dag_id = run["dag_id"]
    dag = api.get(path("dags", dag_id))
    if dag["is_paused"]:
        return f"DAG '{dag_id}' is paused. Let it go on: leoflow dags unpause {dag_id}"
    if run["run_type"] == "backfill":
        return (
            "its backfill is paused, or lets no more of its runs be under way at once: "
            f"leoflow backfill list {dag_id}"
        )
    limit = dag["max_active_runs"]
    query = {"state": "running", "run_type": list(_COUNTED), "limit": 1}
    running = api.get(path("dags", dag_id, "dagRuns"), query)["total_entries"]
    if limit is None or running < limit:
        return None
    others = "another run is" if running == 1 else f"{running} other runs are"
    return f"{others} under way, and max_active_runs of DAG '{dag_id}' is {limit}"


def add_waits(api: Api, run: Document, tasks: list[Document]) -> None:
    """Give ``waits_for`` to tasks that were handed out and have not begun: what their executor has
    said last in the log of the try. Of many to the first ones."""
    queued = [task for task in tasks if task["state"] == "queued" and task["try_number"] > 0]
    for task in queued[:MOST_ASKED]:
        whose = Try(task["task_id"], task["map_index"], task["try_number"])
        for line in LogReader(api, run["dag_id"], run["dag_run_id"], whose).read():
            task["waits_for"] = line.text
