"""A try that does nothing, and a control plane that says yes: to measure the agent's start with.

Only what is inside of a container, no engine: the agent is started by the caller.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from leoflow_agent.wire import Inputs, Job, TaskContext, Workload

INSTANT = "2026-01-02T03:04:05+00:00"


@dataclass
class ControlPlane:
    """Acknowledges every event; ``endpoint`` is for a workload."""

    endpoint: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def finished(self) -> dict[str, Any]:
        """Return the verdict; the agent has left, so it is there."""
        (verdict,) = [event for event in self.events if event["type"] == "finished"]
        return verdict


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    plane: ControlPlane


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.plane.events += report["events"]
        acknowledged = report["events"][-1]["seq"]
        answer = json.dumps({"ack": acknowledged, "terminate": None, "heartbeat_seconds": 10})
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def address_string(self) -> str:
        """Return a name for a peer that has no address."""
        return "agent"


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Serve a control plane on a Unix socket in ``folder`` until the block is left."""
    socket = folder / "agent.sock"
    plane = ControlPlane(f"unix:{socket}")
    with _Server(str(socket), _Handler) as server:
        server.plane = plane
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield plane
        finally:
            server.shutdown()


def variables(
    endpoint: str,
    folder: Path,
    module: str,
    function: str,
    args: Sequence[Any] = (),
    fresh_interpreter: bool = False,
) -> dict[str, str]:
    """Return the environment of a try that calls ``function`` of ``module`` in ``folder``."""
    context = TaskContext(
        dag_id="noop",
        run_id="run",
        task_id="noop",
        map_index=-1,
        try_number=1,
        max_tries=1,
        logical_date=INSTANT,
        data_interval_start=INSTANT,
        data_interval_end=INSTANT,
        params={},
        conf={},
    )
    workload = Workload(
        protocol=1,
        endpoint=endpoint,
        token="t" * 43,
        context=context,
        job=Job(kind="python", module=module, function=function, command=None),
        inputs=Inputs(args=list(args), kwargs={}, environment={}, request=None),
        fresh_interpreter=fresh_interpreter,
        execution_timeout_seconds=None,
        grace_seconds=1.0,
        heartbeat_seconds=10.0,
        xcom_limit_bytes=262144,
        ca=None,
        patience_seconds=600.0,
    )
    return {"LEOFLOW_DAG_FOLDER": str(folder), "LEOFLOW_WORKLOAD": json.dumps(workload)}
