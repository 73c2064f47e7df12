"""Plays runs through the writer's own code in this thread: no server, no agents, no waiting.

What it takes can so be counted, and does not depend on the machine or on who else uses it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from leoflow_agent import exitcode
from leoflow_agent.spec import BuiltDag
from leoflow_agent.wire import Report
from leoflow_controlplane.book.book import Book, Policy
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.command import Trigger
from leoflow_controlplane.database.group import Committer
from leoflow_controlplane.database.migration import prepare
from leoflow_controlplane.database.sqlite import SqlitePlace
from leoflow_controlplane.inlinecalls import MOST_AT_ONCE
from leoflow_controlplane.model import SERVER, TryKey
from leoflow_controlplane.observer import SILENT
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.steps import calling, dag, ending, report
from leoflow_controlplane.steps.calling import Told
from leoflow_controlplane.steps.ending import End
from leoflow_controlplane.store.keeper import Keeper
from leoflow_controlplane.trytoken import TryTokens
from leoflow_controlplane.verdict import Exit, Verdict
from sqlalchemy import Connection

from benchmarks.controlplane.agents import FINISHED, STARTED

_SUCCESS = Exit(exitcode.SUCCESS)
_GOOD = Verdict("success")


class Play:
    """A book and its store, and the tries that were handed out and did not report yet."""

    def __init__(self, book: Book, connection: Connection, place: SqlitePlace) -> None:
        self.finished = 0
        self.connection = connection
        self._book = book
        self._committer = Committer(connection, book, place, SILENT)
        self._fresh: list[TryKey] = []
        self._begun: list[TryKey] = []
        self._done: list[TryKey] = []
        self._clock = itertools.count(1)

    def register(self, built: BuiltDag) -> None:
        """Make a DAG known."""
        self._commit([lambda c: dag.register_dag(c, self._book, built, 0.0)])

    def trigger(self, dag_id: str, run_id: str) -> None:
        """Start a run."""
        wanted = Trigger(run_id=run_id)
        self._commit([lambda c: dag.trigger(c, self._book, dag_id, wanted, 0.0)])

    def play(self) -> None:
        """Report for every try once, in one group: the start, the end, or that it is gone."""
        fresh, begun, done = self._fresh, self._begun, self._done
        self._fresh, self._begun, self._done = [], fresh, begun
        self.finished += len(begun)
        now = float(next(self._clock))
        told = [(STARTED, key) for key in fresh] + [(FINISHED, key) for key in begun]
        steps = [self._reporting(events, key, now) for events, key in told]
        if done:
            steps.append(self._closing([End(key, _SUCCESS, {}) for key in done], now))
        self._commit(steps)

    @property
    def is_over(self) -> bool:
        """Whether nothing is under way."""
        return not (self._fresh or self._begun or self._done)

    def play_calls(self) -> int:
        """Begin and end inline calls until there are none; give their number."""
        ended, told = 0, list[Told]()
        while True:
            now = float(next(self._clock))
            self._commit([self._moving(told, now)])
            ended, begun, self._fresh = ended + len(told), self._fresh, []
            told = [Told(key, now, ["GET http://h: 200 in 1 ms"], _GOOD, "1") for key in begun]
            if not told:
                return ended

    def _moving(self, told: list[Told], now: float) -> Callable[[Any], Any]:
        return lambda c: (None, calling.move_calls(c, self._book, told, MOST_AT_ONCE, now))

    def _reporting(self, events: str, key: TryKey, now: float) -> Callable[[Any], Any]:
        told = cast(Report, {"protocol": 1, "nonce": "n", "events": json.loads(events)})
        return lambda c: report.take_report(c, self._book, key, told, now)

    def _closing(self, ends: list[End], now: float) -> Callable[[Any], Any]:
        return lambda c: ending.close_tries(c, self._book, ends, now)

    def _commit(self, steps: list[Callable[[Any], Any]]) -> None:
        for value, error in self._committer.run(steps):
            if error is not None:
                raise error
            progress: Progress = value[1]
            self._fresh += [dispatch.key for dispatch in progress.dispatches]


@contextmanager
def play(home: Path, parallel: int) -> Iterator[Play]:
    """Open a store in ``home`` with ``parallel`` tries at once."""
    settings = Settings(max_parallel_tasks=parallel)
    tokens = TryTokens(b"k" * 32, settings.try_token_seconds)
    book = Book(Policy(SERVER, settings, tokens.issue, lambda _: str(home)), Keeper())
    place = SqlitePlace(home / "played.db")
    engine = place.writing()
    prepare(engine, place)
    with engine.connect() as connection:
        yield Play(book, connection, place)
