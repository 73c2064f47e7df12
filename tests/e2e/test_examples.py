"""Every example runs, in containers and as subprocesses, and comes to what its `expect` says."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from freeport import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("expect"))


TOKEN = "shop-token"
ROWS = [{"order": n, "amount": n * 12.5} for n in range(1, 8)]


class _Shop(BaseHTTPRequestHandler):
    """The API that 04-http and 08-jobs call. A job takes three looks; the first finds it busy."""

    looks = 0

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/orders":
            assert query == "state=open"
            self._answer({"orders": [{"amount": 12.5}, {"amount": 30}]})
        elif path == "/jobs/7":
            self._answer_job()
        else:
            assert path == "/rows"
            self._answer_rows(int(query.removeprefix("from=") or 0))

    def do_POST(self) -> None:
        received = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/jobs":
            self._check_token()
            type(self).looks = 0
            self._answer({"id": 7, "received": received})
        else:
            self._answer({"received": received})

    def _answer_job(self) -> None:
        self._check_token()
        type(self).looks += 1
        if self.looks == 1:
            self._answer({}, 503, {"Retry-After": "0"})
        else:
            self._answer({"job": {"state": "running" if self.looks < 4 else "done"}})

    def _answer_rows(self, start: int) -> None:
        self._check_token()
        more = f"/rows?from={start + 3}" if start + 3 < len(ROWS) else None
        self._answer({"rows": ROWS[start : start + 3], "links": {"next": more}})

    def _check_token(self) -> None:
        assert self.headers["Authorization"] == f"Bearer {TOKEN}"

    def _answer(
        self, document: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def shop():
    """Return a function that serves the shop on an address and returns its URL."""
    servers = []

    def serve(address: str) -> str:
        server = HTTPServer((address, 0), _Shop)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        servers.append((server, thread))
        return f"http://{address}:{server.server_port}"

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def declared(leoflow):
    """What the tasks of 07-values and 08-jobs declare."""
    leoflow.environment["AIRFLOW_VAR_API_TOKEN"] = TOKEN
    leoflow.environment["AIRFLOW_VAR_REGION"] = "north"
    leoflow.environment["AIRFLOW_CONN_WAREHOUSE"] = "postgres://me:secret@host/db"


def test_there_are_examples():
    assert len(NAMES) >= 12


@pytest.mark.engine
@pytest.mark.parametrize("name", NAMES)
def test_in_containers(leoflow, engine, project, shop, name):
    conf = {"api": shop(engine.gateway())}
    code, run = leoflow.json(
        "run", project(name), "--executor", "docker", "--conf", json.dumps(conf), timeout=600
    )
    _compare(run, name)
    assert code == 0
    assert engine.leftovers(leoflow.home) == []


@pytest.mark.engine
def test_in_containers_that_come_over_the_network(leoflow, engine, project):
    host = engine.gateway()
    leoflow.environment["LEOFLOW_AGENT_URL"] = f"http://{host}:{free_port(host)}"
    code, run = leoflow.json("run", project("01-hello"), "--executor", "docker")
    _compare(run, "01-hello")
    assert code == 0


@pytest.mark.parametrize("name", NAMES)
def test_as_subprocesses(leoflow, project, shop, name):
    conf = {"api": shop("127.0.0.1")}
    ended = leoflow(
        *("run", project(name), "--executor", "subprocess", "--conf", json.dumps(conf), "--json"),
        timeout=600,
    )
    _compare(json.loads(ended.stdout or "{}"), name, ended.stderr)
    assert ended.returncode == 0
    assert "development only" in ended.stderr


def _name(task: dict) -> str:
    """Return a task's id, with the map index of one that is expanded."""
    index = task["map_index"]
    return task["task_id"] if index < 0 else f"{task['task_id']}[{index}]"


def _compare(run: dict, name: str, stderr: str = "") -> None:
    expected = yaml.safe_load((EXAMPLES / name / "expect").read_text())
    assert run.get("state") == expected["state"], f"{run}\n{stderr}"
    tasks = {_name(task): task for task in run["tasks"]}
    assert sorted(tasks) == sorted(expected["tasks"])
    for task_id, wanted in expected["tasks"].items():
        artifacts = wanted.pop("artifacts", [])
        assert {key: tasks[task_id][key] for key in wanted} == wanted
        for artifact in artifacts:
            assert (Path(tasks[task_id]["artifacts"]) / artifact).stat().st_size > 0
