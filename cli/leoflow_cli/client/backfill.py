"""Waits for a backfill, and tells how its runs stand as they end."""

from __future__ import annotations

import time
from collections import Counter

from leoflow_cli.client.api import Api, path
from leoflow_cli.client.run import Document
from leoflow_cli.screen import Screen

PAUSE_SECONDS = 1.0


def await_backfill(api: Api, backfill: Document, screen: Screen) -> tuple[Document, dict[str, int]]:
    """Return a backfill that is over, and how many runs of its time ended in which state.

    KeyboardInterrupt leaves it alone and says how to see it again.
    """
    told: Counter[str] = Counter()
    try:
        while True:
            # Asked first: if it is over, the runs that are counted then are all.
            backfill = api.get(path("backfills", backfill["id"]))
            counts = _count(api, backfill)
            if counts != told:
                shown = ", ".join(f"{counts[state]} {state}" for state in sorted(counts))
                screen.line(f"  {shown}")
                told = counts
            if backfill["completed_at"] is not None:
                return backfill, dict(counts)
            time.sleep(PAUSE_SECONDS)
    except KeyboardInterrupt:
        screen.line("the backfill goes on at the control plane", style="yellow")
        screen.line(f"cancel it:  leoflow backfill cancel {backfill['id']}")
        raise


def _count(api: Api, backfill: Document) -> Counter[str]:
    query = {
        "run_type": "backfill",
        "logical_date_gte": backfill["from_date"],
        "logical_date_lte": backfill["to_date"],
    }
    runs, _ = api.all_of(path("dags", backfill["dag_id"], "dagRuns"), "dag_runs", query)
    return Counter(run["state"] for run in runs)
