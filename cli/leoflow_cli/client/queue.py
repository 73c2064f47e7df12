"""Why a run of a control plane has not begun yet. Asks for it only; a run that begins meanwhile is
told by its state.
"""

from __future__ import annotations

from leoflow_cli.client.api import Api, path
from leoflow_cli.client.run import Document

# A backfill lets its own through, by a limit of its own.
_COUNTED = ("manual", "scheduled")


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
