"""Ways in which a control plane of the crash tests dies; each is set in the process that will."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from leoflow_controlplane.database.postgresql import PostgresqlPlace
from sqlalchemy import Connection
from sqlalchemy.engine.default import DefaultDialect

WRITER = "leoflow-database"


class Fate(NamedTuple):
    """``kind``: "before" or "after" commit number ``amount``, at a "time" in seconds, or "none"."""

    kind: str = "none"
    amount: float = 0.0


def die() -> None:
    """Kill this process, as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def count_commits(told: Callable[[int, bool], None]) -> None:
    """Tell of each commit of the writer, with its number, before and after it."""
    commit = DefaultDialect.do_commit
    count = 0

    def counted(dialect: Any, connection: Any) -> None:
        nonlocal count
        if threading.current_thread().name != WRITER:
            commit(dialect, connection)
            return
        count += 1
        number = count
        told(number, False)
        commit(dialect, connection)
        told(number, True)

    DefaultDialect.do_commit = counted  # type: ignore[method-assign]


def die_at_commit(fate: Fate) -> None:
    """Meet a fate of the kinds "before" and "after"."""

    def told(number: int, after: bool) -> None:
        if number == fate.amount and after == (fate.kind == "after"):
            die()

    count_commits(told)


def once_it_leads(act: Callable[[], None]) -> None:
    """Do something as soon as this process leads a database on PostgreSQL."""
    wait = PostgresqlPlace.wait_to_lead

    def waited(place: PostgresqlPlace, connection: Connection) -> None:
        wait(place, connection)
        act()

    PostgresqlPlace.wait_to_lead = waited  # type: ignore[method-assign]


def meet_as_leader(fate: Fate) -> None:
    """Meet a fate, counted from the moment at which this process leads."""
    if fate.kind == "time":
        once_it_leads(lambda: threading.Timer(fate.amount, die).start())
    elif fate.kind != "none":
        once_it_leads(lambda: die_at_commit(fate))
