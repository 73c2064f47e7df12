"""An agent as one writes it first: it does what leoflow's does for a no-op task, by ordinary means.

It is kept as a comparison. It reads the same workload and speaks the same protocol: it reports the
start, runs the task in a process of its own, sends what that prints, sends heartbeats from a
thread, and reports the verdict. No trick is left out to make it slow, none put in to make it fast.
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from typing import IO, Any
from urllib.parse import urlsplit

log = logging.getLogger("naive_agent")

EVENTS_PATH = "/agent/v1/events"
PAUSE_SECONDS = 1.0


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        """Connect to the path in place of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Reporter:
    """Numbers events and sends them, one request at a time, from any thread."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._nonce = uuid.uuid4().hex
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if endpoint.startswith("unix:"):
            self._connection: http.client.HTTPConnection = UnixConnection(endpoint[5:])
        else:
            self._connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=30)

    def send(self, kind: str, **fields: Any) -> None:
        """Send one event, again and again until the control plane has it."""
        with self._lock:
            self._number += 1
            event = {"seq": self._number, "at": time.time(), "type": kind, **fields}
            report = {"protocol": 1, "nonce": self._nonce, "events": [event]}
            body = json.dumps(report)
            while not self._post(body):
                time.sleep(PAUSE_SECONDS)

    def _post(self, body: str) -> bool:
        try:
            self._connection.request("POST", EVENTS_PATH, body, self._headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            log.warning("the control plane is away: %s", error)
            self._connection.close()
            return False
        if response.status >= 500:
            return False
        if response.status != 200:
            raise SystemExit(f"refused with {response.status}: {answer.decode()}")
        return True


def main() -> int:
    """Run the try that the environment describes and return the exit code of its process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log-level", default="WARNING", help="of the agent itself")
    options = parser.parse_args()
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s")
    agent_up = time.time()
    workload = json.loads(os.environ.pop("LEOFLOW_WORKLOAD"))
    reporter = Reporter(workload["endpoint"], workload["token"])
    reporter.send("started", agent_up=agent_up)
    over = threading.Event()
    beat = threading.Thread(
        target=send_heartbeats, args=(reporter, workload["heartbeat_seconds"], over), daemon=True
    )
    beat.start()
    code, left = run_task(workload, reporter)
    over.set()
    state = "success" if code == 0 else "failed"
    reason = None if code == 0 else f"the task's process left with {code}"
    reporter.send("finished", state=state, reason=reason, exit_code=code, left=left)
    return code


def run_task(workload: dict[str, Any], reporter: Reporter) -> tuple[int, float]:
    """Run the task's process to its end, and send what it prints as it prints it."""
    log.info("running %s", workload["context"]["task_id"])
    job, context = workload["job"], workload["context"]
    question = {"module": job["module"], "function": job["function"] or context["task_id"]}
    question |= {"inputs": workload["inputs"]}
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "naive_task", "--moments", str(writing)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[writing],
    )
    os.close(writing)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(json.dumps(question))
    process.stdin.close()
    pumps = [
        threading.Thread(target=send_lines, args=(reporter, "stdout", process.stdout)),
        threading.Thread(target=send_lines, args=(reporter, "stderr", process.stderr)),
    ]
    with os.fdopen(reading) as moments:
        entered = json.loads(moments.readline() or "{}")
        reporter.send("entered", **entered)
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()
        left = json.loads(moments.readline() or "{}").get("left", time.time())
    return process.wait(), left


def send_lines(reporter: Reporter, stream: str, lines: IO[str]) -> None:
    """Send every line, and print it as well."""
    for line in lines:
        sys.stdout.write(line)
        reporter.send("log", stream=stream, text=line.rstrip("\n"))


def send_heartbeats(reporter: Reporter, seconds: float, over: threading.Event) -> None:
    """Send a heartbeat every so often until all is over."""
    while not over.wait(seconds):
        reporter.send("heartbeat")


if __name__ == "__main__":
    sys.exit(main())
