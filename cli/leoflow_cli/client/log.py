"""The logs of tries as the API gives them, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leoflow_cli.client.api import Api
from leoflow_cli.client.run import run_path


@dataclass(frozen=True)
class Try:
    """Which try of which task instance of a run."""

    task_id: str
    map_index: int
    try_number: int

    @property
    def name(self) -> str:
        """What people call its task instance."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


@dataclass(frozen=True)
class Line:
    """What a try wrote at once; ``at`` is ISO 8601, None where that is not known."""

    whose: Try
    at: str | None
    text: str
    stream: str | None = None

    @property
    def instant(self) -> float:
        """When it was written, in seconds since the epoch; 0 where that is not known."""
        return 0.0 if self.at is None else datetime.fromisoformat(self.at).timestamp()

    def as_json(self) -> dict[str, Any]:
        """Return the line as --json prints it."""
        return {
            "task_id": self.whose.task_id,
            "map_index": self.whose.map_index,
            "try_number": self.whose.try_number,
            "timestamp": self.at,
            "stream": self.stream,
            "event": self.text,
        }


class LogReader:
    """Reads the log of one try from where it stopped before."""

    def __init__(self, api: Api, dag_id: str, run_id: str, whose: Try) -> None:
        self.whose = whose
        self._api = api
        self._where = run_path(
            dag_id, run_id, "taskInstances", whose.task_id, "logs", whose.try_number
        )
        self._token: str | None = None
        self._is_whole = False

    def read(self) -> Iterator[Line]:
        """Give what has been written since; nothing once the log has been read to its end."""
        while not self._is_whole:
            query: dict[str, Any] = {"map_index": self.whose.map_index}
            if self._token is not None:
                query["token"] = self._token
            page = self._api.get(self._where, query)
            self._token = page["continuation_token"]
            self._is_whole = self._token is None
            for one in page["content"]:
                yield from self._lines(one)
            if not page["content"]:
                return

    def _lines(self, message: Any) -> Iterator[Line]:
        if isinstance(message, str):
            yield from (Line(self.whose, None, text) for text in _as_printed(message))
            return
        at, stream = message.get("timestamp"), message.get("stream")
        for text in _as_printed(str(message["event"])):
            yield Line(self.whose, at, text, stream)


def _as_printed(text: str) -> list[str]:
    """Part lines at nothing but what ends one, so that together they are what was printed."""
    return text.removesuffix("\n").split("\n")
