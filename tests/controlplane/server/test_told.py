"""What a whole server writes down about itself: log lines, traces, and what it lets go of."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hall import Hall, open_hall, until
from house import make_task
from leoflow_agent.spec import Webhook
from leoflow_controlplane.logsetup import set_up_logging
from leoflow_controlplane.server import telemetry
from leoflow_controlplane.spantree import Span
from receiver import BAD, Receiver

HUSH = "hush-" * 5
WEBHOOK = "whsec_" + base64.b64encode(HUSH.encode()).decode()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Take all log lines as JSON, and leave logging as it was."""
    root, own = logging.getLogger(), logging.getLogger("leoflow")
    handlers, levels = root.handlers[:], (root.level, own.level)
    stream = io.StringIO()
    set_up_logging("json", "debug", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


async def use_secrets(hall: Hall, url: str) -> None:
    """Do everything that has to do with something secret."""
    variable = {"key": "region", "value": HUSH}
    assert (await hall.api.post("/api/v2/variables", json=variable)).status_code == 201
    connection = {"connection_id": "db", "conn_type": "postgres", "password": HUSH}
    assert (await hall.api.post("/api/v2/connections", json=connection)).status_code == 201
    await hall.api.get(f"/api/v2/dags?token={HUSH}")
    hook = Webhook(url=url.replace("//", f"//me:{HUSH}@") + f"/{HUSH}?key={HUSH}")
    await hall.push(make_task("a", variables=("region",), connections=("db",)), on_success=(hook,))
    await hall.trigger("r")
    assert await hall.wait("r") == "success"


async def test_lines_say_what_they_are_about_and_nothing_secret(
    tmp_path: Path, logged: io.StringIO
) -> None:
    receiver = Receiver(BAD)
    flags = {"inline_allowed_hosts": "127.0.0.0/8", "webhook_secret": WEBHOOK}
    async with receiver.listen() as url, open_hall(tmp_path, **flags) as hall:
        await use_secrets(hall, url)
        await until(lambda: "is sent again" in logged.getvalue())
        admin = (tmp_path / "admin.token").read_text().strip()
        (launch,) = hall.executor.started
        # Nobody collects traces.
        assert launch.environment == {}
    text = logged.getvalue()
    hidden = [
        HUSH,
        admin,
        WEBHOOK,
        base64.b64encode(f"me:{HUSH}".encode()).decode(),
        launch.workload["token"],
    ]
    assert [secret for secret in hidden if secret in text] == []
    lines = [json.loads(line) for line in text.splitlines()]
    run = {"dag_id": "d", "run_id": "r"}
    assert only(lines, run, "the run has ended: success")
    assert only(lines, run, "is sent again")
    a_try = {**run, "task_id": "a", "try_number": 1}
    assert only(lines, a_try, "the try is started")
    assert only(lines, a_try, "a report came")
    asked = {"method": "POST", "path": "/api/v2/dags/d/dagRuns", "status": 200}
    (line,) = only(lines, {**asked, "logger": "leoflow.access"}, "POST")
    assert re.fullmatch("[0-9a-f]{8}", line["request_id"])


def only(lines: list[dict[str, Any]], fields: dict[str, Any], text: str) -> list[dict[str, Any]]:
    """Give the lines with these fields and this text in their event."""
    return [line for line in lines if fields.items() <= line.items() and text in line["event"]]


class ListSink:
    """Keeps spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def send(self, spans: Iterable[Span]) -> bool:
        self.spans += spans
        return True

    def close(self) -> None:
        """Nothing to let go of."""


async def test_a_run_is_traced_with_its_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = ListSink()
    monkeypatch.setattr(telemetry, "open_sink", lambda _: sink)
    async with open_hall(tmp_path) as hall:
        await hall.push(make_task("a"))
        await hall.trigger("r")
        assert await hall.wait("r") == "success"
        await until(lambda: len(sink.spans) == 3)
        (launch,) = hall.executor.started
    root, task, a_try = sink.spans
    assert (root.name, task.name, a_try.name) == ("run d", "task a", "try a")
    assert "ended" in dict(a_try.events)
    told = f"00-{a_try.trace_id}-{a_try.span_id}-01"
    assert launch.environment["TRACEPARENT"] == told


async def test_what_is_old_is_deleted_while_the_server_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leoflow_controlplane import retention

    async with open_hall(tmp_path) as hall:
        await hall.push(make_task("a"))
        for run_id in ("old", "new"):
            await hall.trigger(run_id)
            await hall.wait(run_id)
    monkeypatch.setattr(retention, "FIRST_PAUSE_SECONDS", 0.0)
    # Less than the test has taken until then.
    async with open_hall(tmp_path, retention_days_runs="1ms") as hall:
        async with asyncio.timeout(60):
            while (await runs_of(hall)) != ["new"]:
                await asyncio.sleep(0.01)


async def runs_of(hall: Hall) -> list[str]:
    runs = (await hall.api.get("/api/v2/dags/d/dagRuns")).json()["dag_runs"]
    return [run["dag_run_id"] for run in runs]
