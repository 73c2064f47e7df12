"""A control plane of a few lines and an agent run against it, for the agent's own tests."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from leoflow import registry
from leoflow_builder.agentlayer import agent_sources, compile_agent
from leoflow_builder.interpreter import HostInterpreter, Interpreter, RootfsInterpreter

# Tests import what lies beside them by its name.
sys.path.insert(0, str(Path(__file__).parent))

SOURCE = Path(__file__).parents[2] / "agent" / "leoflow_agent" / "__main__.py"
CONTEXT = {
    "dag_id": "d",
    "run_id": "r",
    "task_id": "t",
    "map_index": -1,
    "try_number": 1,
    "max_tries": 1,
    "logical_date": "2026-01-02T03:04:05+00:00",
    "data_interval_start": "2026-01-02T03:04:05+00:00",
    "data_interval_end": "2026-01-02T03:04:05+00:00",
    "params": {"color": "red"},
    "conf": {},
}
# A status (0: none, the connection is closed) and a body; or what is sent in place of an answer.
Answer = tuple[int, bytes] | bytes


@pytest.fixture
def fresh_registry() -> Iterator[None]:
    """No DAG is known, and a mistake is raised."""
    _forget_dags()
    yield
    _forget_dags()


def _forget_dags() -> None:
    registry.graphs.clear()
    registry.declared.clear()
    registry.mistakes = None


class Python(NamedTuple):
    """A Python that the agent runs on: the words that start it, and what compiles for it."""

    command: tuple[str, ...]
    interpreter: Interpreter


def find_python(place: Path) -> Python:
    """Take the Python of a root file system, or the program at ``place``."""
    if place.is_dir():
        rootfs = RootfsInterpreter(place)
        return Python(tuple(rootfs._command()), rootfs)
    return Python((str(place),), HostInterpreter(place))


@pytest.fixture(scope="session")
def python() -> Python:
    """The Python that LEOFLOW_TEST_PYTHON names, or the one of the tests."""
    return find_python(Path(os.environ.get("LEOFLOW_TEST_PYTHON", sys.executable)))


class ControlPlane:
    """Keeps the events it is sent; ``script`` may answer a request in place of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, dict[str, Any] | None]] = []
        self.inputs: dict[str, Any] = {}
        self.terminate: str | None = None
        self.script: Callable[[str, dict[str, Any] | None], Answer | None] = lambda *_: None

    def answer(self, path: str, body: dict[str, Any] | None, token: str) -> Answer:
        self.requests.append((path, token, body))
        scripted = self.script(path, body)
        if scripted is not None:
            return scripted
        if path == "/agent/v1/inputs":
            return 200, json.dumps(self.inputs).encode()
        assert body is not None
        for event in body["events"]:
            if event["seq"] == len(self.events) + 1:
                self.events.append(event)
        reply = {"ack": len(self.events), "terminate": self.terminate, "heartbeat_seconds": 10}
        return 200, json.dumps(reply).encode()

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def finished(self) -> dict[str, Any]:
        (event,) = self.of_type("finished")
        return event

    @property
    def log(self) -> str:
        return "".join(event["text"] for event in self.of_type("log"))


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    control_plane: ControlPlane


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_GET(self) -> None:
        self._serve(None)

    def _serve(self, body: dict[str, Any] | None) -> None:
        token = self.headers["Authorization"].removeprefix("Bearer ")
        answered = self.server.control_plane.answer(self.path, body, token)
        if isinstance(answered, bytes):
            self.wfile.write(answered)
            self.close_connection = True
            return
        status, answer = answered
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Leoflow-Protocol", "1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self) -> str:
        return "agent"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def control_plane(tmp_path: Path) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path / "agent.sock")
    with _Server(str(plane.path), _Handler) as server:
        server.control_plane = plane
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield plane
        server.shutdown()
        thread.join()


class Agent:
    """Runs a try of a project the way an executor does, and waits for its end."""

    def __init__(
        self, python: Python, entry: Path, folder: Path, control_plane: ControlPlane
    ) -> None:
        self.python = python
        self.entry = entry
        self.folder = folder
        self.verdict_file = folder.parent / "verdict"
        self.control_plane = control_plane
        self.environment: dict[str, str] = {}
        self._started: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        """End what a test that failed has left."""
        for process in self._started:
            with process:
                process.kill()

    def workload(self, **changes: Any) -> dict[str, Any]:
        job = {"kind": "python", "module": "steps", "function": "task", "command": None}
        job.update({key: changes.pop(key) for key in tuple(changes) if key in job})
        inputs = {"args": [], "kwargs": {}, "environment": {}, "request": None}
        inputs.update({key: changes.pop(key) for key in tuple(changes) if key in inputs})
        workload = {
            "protocol": 1,
            "endpoint": f"unix:{self.control_plane.path}",
            "token": "secret-token",
            "context": CONTEXT,
            "job": job,
            "inputs": inputs,
            "fresh_interpreter": False,
            "execution_timeout_seconds": None,
            "grace_seconds": 1.0,
            "heartbeat_seconds": 10.0,
            "xcom_limit_bytes": 262144,
        }
        return {**workload, **changes}

    def start(
        self,
        source: str = "",
        prepare: Callable[[], object] | None = None,
        stdout: Any = subprocess.PIPE,
        **changes: Any,
    ) -> subprocess.Popen[bytes]:
        (self.folder / "steps.py").write_text(source)
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "LEOFLOW_DAG_FOLDER": str(self.folder),
            "LEOFLOW_VERDICT_FILE": str(self.verdict_file),
            "LEOFLOW_WORKLOAD": json.dumps(self.workload(**changes)),
            **self.environment,
        }
        process = subprocess.Popen(
            [*self.python.command, "-I", "-S", str(self.entry)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            preexec_fn=prepare,
        )
        self._started.append(process)
        return process

    def run(self, source: str = "", **changes: Any) -> subprocess.CompletedProcess[str]:
        process = self.start(source, **changes)
        stdout, stderr = process.communicate(timeout=60)
        output = (stream.decode("utf-8", "replace") for stream in (stdout, stderr))
        return subprocess.CompletedProcess([], process.returncode, *output)


@pytest.fixture(scope="session")
def compiled_entry(python: Python, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent as an image holds it: compiled into one file."""
    folder = tmp_path_factory.mktemp("agent")
    for name, content in agent_sources().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    compile_agent(folder, python.interpreter)
    return folder / "leoflow_agent" / "__main__.pyc"


# Its sources are what is compiled; that both behave alike is left to the tests that take long.
@pytest.fixture(params=[pytest.param("source", marks=pytest.mark.long), "compiled"])
def agent(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    control_plane: ControlPlane,
    python: Python,
    compiled_entry: Path,
) -> Iterator[Agent]:
    """An agent from its sources, as subprocess mode runs it, and one as containers do."""
    folder = tmp_path / "project"
    folder.mkdir()
    entry = SOURCE if request.param == "source" else compiled_entry
    with closing(Agent(python, entry, folder, control_plane)) as made:
        yield made


@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, str]]:
    """Give the environment of a process whose clocks are as told: CLOCK_SPEED, CLOCK_JUMP."""
    source = Path(__file__).with_name("clock.c")
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)

    def environment(**settings: float) -> dict[str, str]:
        return {"LD_PRELOAD": str(library), **{n: str(v) for n, v in settings.items()}}

    return environment
