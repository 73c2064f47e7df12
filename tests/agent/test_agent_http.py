"""A task of the kind http_api in a container."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


class _Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer = json.dumps({"path": self.path, "body": json.loads(body)}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def http_server():
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _request(url: str, method: str = "POST", body: object = None) -> dict[str, object]:
    return {
        "method": method,
        "url": url,
        "headers": {},
        "query": {"q": "1"},
        "body": body,
        "timeout_seconds": 5.0,
        "success_codes": [200, 201],
    }


def test_an_http_task_in_a_container_returns_the_body_of_the_answer(agent, http_server):
    request = _request(http_server + "/items", body={"a": 1})
    agent.run(kind="http_api", module=None, function=None, request=request)
    value = agent.control_plane.of_type("xcom")[0]["value"]
    assert value == {"path": "/items?q=1", "body": {"a": 1}}


def test_an_http_task_fails_on_a_status_that_is_not_a_success(agent, http_server):
    request = _request(http_server + "/items", method="GET")
    agent.run(kind="http_api", module=None, function=None, request=request)
    assert "was answered with 404" in agent.control_plane.finished["reason"]
