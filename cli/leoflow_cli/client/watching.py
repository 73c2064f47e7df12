"""Shows a control plane's run to the person at the terminal, live and at its end."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from leoflow_cli.client.api import Api
from leoflow_cli.client.following import Follower, Wanted
from leoflow_cli.client.queue import add_waits
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


@contextmanager
def left_alone(run: Document, screen: Screen) -> Iterator[None]:
    """Say how to see a run again, and how to cancel it, if Ctrl-C ends the block."""
    try:
        yield
    except KeyboardInterrupt:
        name = shlex.join([run["dag_id"], run["dag_run_id"]])
        screen.line("the run goes on at the control plane", style="yellow")
        screen.line(f"look at it:  leoflow runs show {name}")
        screen.line(f"cancel it:   leoflow runs cancel {name}")
        raise


def watch_to_end(api: Api, run: Document, logs: bool, screen: Screen) -> Document:
    """Show a run until it is over, then its report; return what --json prints of it."""
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    view = LiveView(screen, (parse(run["queued_at"]) or datetime.now(UTC)).timestamp())
    for update in Follower(api, dag_id, run_id, Wanted(logs), screen.line).updates():
        view.show(update)
    return show_run(api, dag_id, run_id, screen)


def show_run(
    api: Api, dag_id: str, run_id: str, screen: Screen, *, heading: str | None = None
) -> Document:
    """Show how a run stands, as ``leoflow run`` shows its own; return what --json prints of it.

    ``heading`` is only written above a run that is there.
    """
    run = api.get(run_path(dag_id, run_id))
    tasks = read_tasks(api, dag_id, run_id)
    add_returned(api, run, tasks)
    add_waits(api, run, tasks)
    if heading is not None:
        screen.line(heading, style="bold")
    began = run["start_date"] or run["queued_at"]
    seconds = seconds_between(began, run["end_date"], datetime.now(UTC)) or 0.0
    show(as_result(run, tasks), seconds, screen)
    return as_document(run, tasks)
