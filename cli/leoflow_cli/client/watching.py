"""Shows a control plane's run to the person at the terminal, live and at its end."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime

from leoflow_cli.client.api import Api
from leoflow_cli.client.following import Follower, Wanted
from leoflow_cli.client.run import (
    Document,
    add_returned,
    as_document,
    as_result,
    read_tasks,
    run_path,
)
from leoflow_cli.liveview import LiveView
from leoflow_cli.moment import parse, seconds_between
from leoflow_cli.report import show
from leoflow_cli.screen import Screen


def watch_to_end(api: Api, run: Document, logs: bool, screen: Screen) -> Document:
    """Show a run until it is over, then its report; return what --json prints of it.

    KeyboardInterrupt leaves the run alone and says how to see it again.
    """
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    view = LiveView(screen, (parse(run.get("queued_at")) or datetime.now(UTC)).timestamp())
    follower = Follower(api, dag_id, run_id, Wanted(logs), screen.line)
    try:
        for update in follower.updates():
            view.show(update)
    except KeyboardInterrupt:
        screen.line("the run goes on at the control plane", style="yellow")
        name = shlex.join([dag_id, run_id])
        screen.line(f"look at it:  leoflow runs show {name}")
        screen.line(f"cancel it:   leoflow runs cancel {name}")
        raise
    return show_run(api, dag_id, run_id, screen)


def show_run(api: Api, dag_id: str, run_id: str, screen: Screen) -> Document:
    """Show how a run stands, as ``leoflow run`` shows its own; return what --json prints of it."""
    run = api.get(run_path(dag_id, run_id))
    tasks = read_tasks(api, dag_id, run_id)
    add_returned(api, run, tasks)
    began = run["start_date"] or run["queued_at"]
    seconds = seconds_between(began, run["end_date"], datetime.now(UTC)) or 0.0
    show(as_result(run, tasks), seconds, screen)
    return as_document(run, tasks)
