"""A control plane on loopback that keeps everything in memory: the shapes of its API, no doing.

What it says of a run is set by the test; `FakeServer.looks` lets a run change as it is looked at.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "let-me-in"
NOON = "2026-01-31T12:00:00+00:00"
LATER = "2026-01-31T12:02:05+00:00"
Document = dict[str, Any]


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any


def make_dag(dag_id: str, **changes: Any) -> Document:
    return {
        "dag_id": dag_id,
        "dag_display_name": dag_id,
        "is_paused": False,
        "description": "",
        "timetable_summary": None,
        "tags": [],
        "max_active_tasks": 16,
        "max_active_runs": 16,
        "next_dagrun_run_after": None,
        **changes,
    }


def make_run(dag_id: str, run_id: str, state: str = "success", **changes: Any) -> Document:
    is_over = state in ("success", "failed")
    return {
        "dag_id": dag_id,
        "dag_run_id": run_id,
        "state": state,
        "run_type": "manual",
        "logical_date": NOON,
        "queued_at": NOON,
        "start_date": NOON,
        "end_date": LATER if is_over else None,
        "note": None,
        "reason": None,
        "conf": {},
        "dag_versions": [{"bundle_name": "leoflow/etl:1", "version_number": 1}],
        **changes,
    }


def make_task(task_id: str, state: str | None = "success", **changes: Any) -> Document:
    return {
        "task_id": task_id,
        "map_index": -1,
        "state": state,
        "try_number": 0 if state in (None, "scheduled", "upstream_failed") else 1,
        "start_date": NOON,
        "end_date": LATER,
        "reason": None,
        "artifacts": None,
        "timeline_ms": {"queue": 1.0, "total": 125.0},
        **changes,
    }


def log_line(text: str, at: str = NOON) -> Document:
    return {"timestamp": at, "event": text, "stream": "stdout"}


class FakeServer:
    """Answers what the client asks; ``answers`` by (method, path) win over what it has."""

    def __init__(self) -> None:
        self.dags: dict[str, Document] = {}
        self.versions: dict[str, list[Document]] = {}
        self.runs: dict[tuple[str, str], Document] = {}
        self.tasks: dict[tuple[str, str], list[Document]] = {}
        # By task_id, map_index and try; each list is one page of the log.
        self.logs: dict[tuple[str, int, int], list[list[Document]]] = {}
        self.variables: dict[str, Document] = {}
        self.connections: dict[str, Document] = {}
        self.tokens: dict[str, Document] = {}
        self.backfills: dict[int, Document] = {}
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.looks: list[Callable[[], None]] = []
        self.requests: list[Request] = []
        # Without those that the test has answered itself.
        self.answered: list[tuple[Request, int, Any]] = []
        self.returned: Document = {}
        self.ended = threading.Event()

    def add_run(self, run: Document, *tasks: Document) -> None:
        self.dags.setdefault(run["dag_id"], make_dag(run["dag_id"]))
        self.runs[run["dag_id"], run["dag_run_id"]] = run
        self.tasks[run["dag_id"], run["dag_run_id"]] = list(tasks)

    def sent(self, method: str) -> list[Request]:
        return [one for one in self.requests if one.method == method]

    def answer(self, request: Request, token: str | None) -> tuple[int, Any]:
        self.requests.append(request)
        if token != f"Bearer {TOKEN}":
            return 401, {"detail": "the token is unknown"}
        if (request.method, request.path) in self.answers:
            return self.answers[request.method, request.path]
        first, *parts = [unquote(part) for part in request.path.split("/")[3:]]
        handler = getattr(self, f"_{first}", None)
        status, said = handler(request, parts) if handler else _absent(request.path)
        self.answered.append((request, status, deepcopy(said)))
        return status, said

    def _dags(self, request: Request, parts: list[str]) -> tuple[int, Any]:
        if not parts:
            if request.method == "POST":
                return self._push(request.body)
            return _page("dags", list(self.dags.values()), request)
        dag_id, *rest = parts
        if dag_id not in self.dags and dag_id != "~":
            return 404, {"detail": f"there is no DAG '{dag_id}'"}
        if not rest or rest == ["details"]:
            return self._dag(request, dag_id)
        if rest[0] == "dagVersions":
            return _page("dag_versions", self.versions[dag_id], request)
        if rest[0] == "clearTaskInstances":
            tasks = self.tasks[dag_id, request.body["dag_run_id"]]
            return 200, {"task_instances": tasks, "total_entries": len(tasks)}
        return self._dag_runs(request, dag_id, rest[1:])

    def _push(self, built: Document) -> tuple[int, Any]:
        dag_id = built["spec"]["dag_id"]
        known = self.versions.setdefault(dag_id, [])
        created = built not in known
        if created:
            known.append(built)
        self.dags.setdefault(dag_id, make_dag(dag_id))
        number = known.index(built) + 1
        return 201 if created else 200, {"dag_id": dag_id, "version_number": number}

    def _dag(self, request: Request, dag_id: str) -> tuple[int, Any]:
        if request.method == "DELETE":
            del self.dags[dag_id]
            return 204, None
        if request.method == "PATCH":
            self.dags[dag_id].update(request.body)
        return 200, self.dags[dag_id]

    def _dag_runs(self, request: Request, dag_id: str, rest: list[str]) -> tuple[int, Any]:
        if not rest and request.method == "POST":
            run_id = request.body["dag_run_id"] or "manual__1"
            run = make_run(dag_id, run_id, "queued", conf=request.body["conf"])
            self.runs.setdefault((dag_id, run_id), run)
            return 200, self.runs[dag_id, run_id]
        if not rest:
            states, types = request.query.get("state"), request.query.get("run_type")
            found = [
                run
                for run in reversed(self.runs.values())
                if dag_id in ("~", run["dag_id"])
                and (not states or run["state"] in states)
                and (not types or run["run_type"] in types)
            ]
            return _page("dag_runs", found, request)
        run_id, *more = rest
        if (dag_id, run_id) not in self.runs:
            return 404, {"detail": f"DAG '{dag_id}' has no run '{run_id}'"}
        if more:
            return self._in_run(request, (dag_id, run_id), more)
        if request.method == "DELETE":
            del self.runs[dag_id, run_id]
            return 204, None
        if request.method == "PATCH":
            self.runs[dag_id, run_id].update(request.body)
        elif self.looks:
            self.looks.pop(0)()
        return 200, self.runs[dag_id, run_id]

    def _in_run(self, request: Request, key: tuple[str, str], more: list[str]) -> tuple[int, Any]:
        tasks = self.tasks[key]
        if more == ["wait"]:
            if "result" in request.query:
                return 200, {"state": self.runs[key]["state"], "results": self.returned}
            if self.runs[key]["state"] not in ("success", "failed"):
                self.ended.wait(10)
            return 200, {"state": self.runs[key]["state"]}
        if more == ["taskInstances"]:
            return _page("task_instances", tasks, request)
        _, task_id, *rest = more
        if rest[:1] == ["logs"]:
            assert int(rest[1]) >= 1, "tries count from 1"
            index = int(request.query["map_index"][0])
            pages = self.logs.get((task_id, index, int(rest[1])), [[]])
            at = int(request.query.get("token", ["0"])[0])
            following = str(at + 1) if at + 1 < len(pages) else None
            return 200, {"content": pages[at], "continuation_token": following}
        chosen = [task for task in tasks if task["task_id"] == task_id]
        return 200, {"task_instances": chosen, "total_entries": len(chosen)}

    def _variables(self, request: Request, parts: list[str]) -> tuple[int, Any]:
        return _store("variables", "key", self.variables, request, parts)

    def _connections(self, request: Request, parts: list[str]) -> tuple[int, Any]:
        return _store("connections", "connection_id", self.connections, request, parts)

    def _tokens(self, request: Request, parts: list[str]) -> tuple[int, Any]:
        if request.method == "POST":
            kept = {**request.body, "id": 7, "created_at": NOON}
            self.tokens["7"] = {**kept, "last_used_at": None}
            return 201, {**kept, "token": "made-up"}
        return _store("tokens", "id", self.tokens, request, parts)

    def _backfills(self, request: Request, parts: list[str]) -> tuple[int, Any]:
        if request.method == "POST":
            number = len(self.backfills) + 1
            begun = {"id": number, "is_paused": False, "created_at": NOON, "completed_at": NOON}
            self.backfills[number] = {**request.body, **begun}
            return 200, self.backfills[number]
        if not parts:
            return _page("backfills", list(self.backfills.values()), request)
        backfill = self.backfills[int(parts[0])]
        if parts[1:]:
            backfill["is_paused"] = parts[1] == "pause"
        return 200, backfill


def _store(
    name: str, key: str, kept: dict[str, Document], request: Request, parts: list[str]
) -> tuple[int, Any]:
    if request.method == "POST":
        if request.body[key] in kept:
            return 409, {"detail": "it is there already"}
        kept[request.body[key]] = {"description": None, **request.body}
        return 201, kept[request.body[key]]
    if not parts:
        return _page(name, list(kept.values()), request)
    if parts[0] not in kept:
        return 404, {"detail": f"there is no '{parts[0]}'"}
    if request.method == "DELETE":
        del kept[parts[0]]
        return 204, None
    if request.method == "PATCH":
        kept[parts[0]].update(request.body)
    return 200, kept[parts[0]]


def _page(key: str, entries: list[Document], request: Request) -> tuple[int, Any]:
    limit = int(request.query.get("limit", ["50"])[0])
    offset = int(request.query.get("offset", ["0"])[0])
    return 200, {key: entries[offset : offset + min(limit, 1000)], "total_entries": len(entries)}


def _absent(path: str) -> tuple[int, Any]:
    return 404, {"detail": f"there is nothing at '{path}'."}


class Listener:
    """Serves a FakeServer over HTTP, or TLS with ``tls``, while it is open."""

    def __init__(self, fake: FakeServer, tls: ssl.SSLContext | None = None) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Written in one piece: else the second waits for the first's acknowledgement.
            wbufsize = -1

            def handle_one(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                asked = Request(self.command, parts.path, parse_qs(parts.query), body)
                status, said = fake.answer(asked, self.headers.get("authorization"))
                if status == 0:
                    self.close_connection = True
                    return
                content = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                if status == 307:
                    self.send_header("location", "https://elsewhere.example/")
                self.send_header("content-length", str(0 if status == 204 else len(content)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_one  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._fake = fake
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._fake.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
