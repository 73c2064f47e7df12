"""A run as it goes on at a control plane, seen from outside: its states, and its logs if wanted.

Only looks. The run's end is told by the server at once; what happens before is asked for, less
often the longer an answer takes.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from leoflow_controlplane.model import Update

from leoflow_cli.client.answer import Unanswered
from leoflow_cli.client.api import Api
from leoflow_cli.client.log import LogReader, Try
from leoflow_cli.client.run import (
    FINISHED_RUN,
    FINISHED_TASK,
    Document,
    read_tasks,
    run_path,
)
from leoflow_cli.moment import parse
from leoflow_cli.outcome import InvalidInput, Unusable

PAUSE_SECONDS = 0.5
# A restart or a take-over is over long before.
PATIENCE_SECONDS = 120.0
# How long the containers of a run that is over may take to go before nobody waits for them.
CLOSING_SECONDS = 30.0


@dataclass(frozen=True)
class Wanted:
    """What is to be seen: with ``logs`` what tasks print, else states alone; of one task, or all.

    With a ``task_id`` it ends with that task.
    """

    logs: bool = False
    task_id: str | None = None
    map_index: int | None = None

    def takes(self, task: Document) -> bool:
        """Tell whether a task instance is to be seen."""
        return self.task_id in (None, task["task_id"]) and self.map_index in (
            None,
            task["map_index"],
        )


@dataclass
class _Seen:
    """What was shown of a task instance."""

    state: str | None = None
    try_number: int = 0
    reader: LogReader | None = None


@dataclass
class Follower:
    """Follows one run. ``say`` is told when the control plane goes away, and when it is back."""

    api: Api
    dag_id: str
    run_id: str
    wanted: Wanted
    say: Callable[[str], None]
    _seen: dict[tuple[str, int], _Seen] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)
    _is_first_look: bool = True

    def updates(self) -> Iterator[Update]:
        """Give what happens until the run, or the wanted task, is over. Raises Unanswered."""
        waiting = threading.Thread(target=self._await_end, daemon=True)
        waiting.start()
        while True:
            began = time.monotonic()
            # The run is asked first: if it is over, what its tasks say is the last of them.
            run, tasks = self._look()
            for task in tasks:
                yield from self._news(task)
            self._is_first_look = False
            if run["state"] in FINISHED_RUN:
                # When its last container began is known once that is gone.
                waiting.join(CLOSING_SECONDS)
                return
            if self._is_over(tasks):
                return
            if self._ended.wait(max(PAUSE_SECONDS, 2 * (time.monotonic() - began))):
                self._ended.clear()

    def _look(self) -> tuple[Document, list[Document]]:
        until = None
        while True:
            try:
                run = self.api.get(run_path(self.dag_id, self.run_id))
                tasks = read_tasks(self.api, self.dag_id, self.run_id)
            except Unanswered:
                if until is None:
                    until = time.monotonic() + PATIENCE_SECONDS
                    self.say("the control plane does not answer; waiting for it")
                elif time.monotonic() > until:
                    raise
                time.sleep(PAUSE_SECONDS)
                continue
            if until is not None:
                self.say("the control plane answers again")
            return run, [task for task in tasks if self.wanted.takes(task)]

    def _is_over(self, tasks: list[Document]) -> bool:
        if self.wanted.task_id is None or not tasks:
            return False
        return all(task["state"] in FINISHED_TASK for task in tasks)

    def _news(self, task: Document) -> Iterator[Update]:
        seen = self._seen.setdefault((task["task_id"], task["map_index"]), _Seen())
        is_new_try = task["try_number"] != seen.try_number
        changed = is_new_try or task["state"] != seen.state
        if changed and task["state"] == "running":
            yield self._state(task)
        yield from self._log(task, seen)
        if changed and task["state"] not in (None, "running"):
            yield self._state(task)
        seen.state, seen.try_number = task["state"], task["try_number"]

    def _state(self, task: Document) -> Update:
        date = task["start_date"] if task["state"] == "running" else task["end_date"]
        at = (parse(date) or datetime.now(UTC)).timestamp()
        name = (task["task_id"], task["map_index"], task["try_number"])
        return Update("state", at, task["state"], *name, reason=task["reason"])

    def _log(self, task: Document, seen: _Seen) -> Iterator[Update]:
        if not self.wanted.logs:
            return
        # What waits for its turn has written nothing in this try.
        last = task["try_number"] - (task["state"] in ("scheduled", "queued"))
        # Of tries that were over before anybody looked the logs are old.
        first = max(1, task["try_number"]) if self._is_first_look else 1
        for number in range(seen.try_number or first, last + 1):
            if seen.reader is None or seen.reader.whose.try_number != number:
                whose = Try(task["task_id"], task["map_index"], number)
                seen.reader = LogReader(self.api, self.dag_id, self.run_id, whose)
            # A reader that breaks off goes on where it was, at the next look.
            with contextlib.suppress(Unanswered):
                for line in seen.reader.read():
                    at = line.instant or datetime.now(UTC).timestamp()
                    name = (line.whose.task_id, line.whose.map_index, number)
                    yield Update("log", at, line.text, *name, stream=line.stream)

    def _await_end(self) -> None:
        """Let the server tell the run's end; without that it is seen at the next look."""
        where = run_path(self.dag_id, self.run_id, "wait")
        with contextlib.suppress(Unusable, InvalidInput, ValueError, KeyError, RuntimeError):
            for line in self.api.lines(where, {"interval": 1}):
                if json.loads(line)["state"] in FINISHED_RUN:
                    self._ended.set()
