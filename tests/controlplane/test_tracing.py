"""Traces on their way to a collector."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from baredatabase import NoMemory, write_run
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.otlp import OtlpSink
from leoflow_controlplane.schema import task_instances, tries
from leoflow_controlplane.spantree import Span
from leoflow_controlplane.store.trace import TracedTry, load_traced_run
from leoflow_controlplane.tracing import Tracing, open_sink
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import Connection, insert

ROOT = Span("run d", "a" * 32, "b" * 16, None, 1.0, 2.0, {"leoflow.dag_id": "d"})
CHILD = Span(
    "try t", "a" * 32, "c" * 16, "b" * 16, 1.25, 1.5, {}, (("started", 1.3),), "exit code 1"
)


def test_spans_are_exported_as_they_were_made() -> None:
    exporter = InMemorySpanExporter()
    assert OtlpSink(exporter, {}).send([ROOT, CHILD])
    root, child = exporter.get_finished_spans()
    assert child.context.span_id == int("c" * 16, 16)
    assert root.context.trace_id == child.context.trace_id == int("a" * 32, 16)
    assert (root.parent, child.parent.span_id) == (None, root.context.span_id)  # type: ignore[union-attr]
    assert (child.start_time, child.end_time) == (1_250_000_000, 1_500_000_000)
    assert [(event.name, event.timestamp) for event in child.events] == [("started", 1_300_000_000)]
    assert (child.status.is_ok, child.status.description) == (False, "exit code 1")
    assert root.attributes == {"leoflow.dag_id": "d"}
    assert root.resource.attributes["service.name"] == "leoflow"


def test_all_of_a_long_run_is_exported() -> None:
    exporter = InMemorySpanExporter()
    children = [CHILD._replace(span_id=f"{number:016x}") for number in range(1, 3001)]
    assert OtlpSink(exporter, {}).send([ROOT, *children])
    assert len(exporter.get_finished_spans()) == 3001


def test_a_sampler_decides_for_the_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    exporter = InMemorySpanExporter()
    assert OtlpSink(exporter, {}).send([ROOT, CHILD])
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"},
    ],
)
def test_nothing_is_sent_unasked(environment: dict[str, str]) -> None:
    assert open_sink(environment) is None


def test_what_is_asked_for_and_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingInvalid, match=r"pip install 'leoflow\[tracing\]'"):
        open_sink({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"})


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


def test_a_collector_is_found_by_the_usual_variables(
    collector: tuple[str, list[tuple[str, bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, got = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    sink = open_sink({"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert sink is not None
    assert sink.send([ROOT, CHILD])
    sink.close()
    ((path, body),) = got
    assert path == "/v1/traces"
    assert b"try t" in body


class ListSink:
    """Keeps spans; fails ``failures`` times first."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.names: list[str] = []
        self.closed = False
        self.got = threading.Event()

    def send(self, spans: Iterable[Span]) -> bool:
        if self.failures:
            self.failures -= 1
            raise OSError("the collector hung up")
        self.names += [span.name for span in spans]
        self.got.set()
        return True

    def close(self) -> None:
        self.closed = True


def write_tries(connection: Connection) -> None:
    write_run(connection, finished_at=9.0)
    task = {"run_pk": 1, "task_id": "t", "map_index": -1, "state": "failed", "position": 0}
    connection.execute(insert(task_instances).values(**task, scheduled_at=1.0, finished_at=8.0))
    for number in (2, 1):
        one = {"run_pk": 1, "task_id": "t", "map_index": -1, "try_number": number}
        times = {"dispatched_at": float(number), "reported_at": number + 0.5}
        connection.execute(insert(tries).values(**one, inline=False, state="failed", **times))


async def test_a_run_is_read_with_its_tries_in_order(database_url: str) -> None:
    database = Database(database_url, NoMemory())
    await database.open()
    try:
        await database.run(write_tries)
        run = await database.read(load_traced_run, RunKey("d", "r"))
    finally:
        await database.close()
    (task,) = run.tasks
    assert (run.state, run.created_at, run.finished_at) == ("failed", 1.0, 9.0)
    assert task.tries == tuple(
        TracedTry(n, "failed", None, False, {"dispatched": float(n), "reported": n + 0.5})
        for n in (1, 2)
    )


async def test_the_trace_of_a_run_that_ended_is_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database, sink = Database(tmp_path / "db", NoMemory()), ListSink(failures=1)
    await database.open()
    tracing = Tracing(database, sink)
    sending = asyncio.create_task(tracing.run())
    try:
        await database.run(write_tries)
        for run_id in ("gone", "r", "r"):
            tracing.run_ended(RunKey("d", run_id))
        await asyncio.to_thread(sink.got.wait, 10)
    finally:
        sending.cancel()
        await asyncio.wait({sending})
        await tracing.close()
        await database.close()
    assert sink.names == ["run d", "task t", "try t", "try t"]
    assert sink.closed
    assert "there is no trace of d gone" in caplog.text
    assert "the trace of d r is lost" in caplog.text
