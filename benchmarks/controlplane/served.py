"""Runs the real `leoflow server` in a process of its own, and reads what it takes from /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leoflow_agent.spec import BuiltDag
from pydantic import TypeAdapter

_TICKS = os.sysconf("SC_CLK_TCK")
_BUILT = TypeAdapter(BuiltDag)
PATIENCE_SECONDS = 120.0
# Not a pipe: a server whose log nobody reads stands still when that is full.
LOG_NAME = "server.log"


class Served:
    """A server that answers: how long that took from the process's start, and what it uses."""

    def __init__(self, process: subprocess.Popen[bytes], home: Path, url: str) -> None:
        self.start_seconds = 0.0
        self._token = ""
        self._process = process
        self._home = home
        self._url = url

    def await_health(self, begun: float) -> None:
        """Wait until /health is answered with 200."""
        while True:
            try:
                with urllib.request.urlopen(f"{self._url}/health", timeout=10):
                    break
            except OSError:
                late = time.perf_counter() > begun + PATIENCE_SECONDS
                if late or self._process.poll() is not None:
                    raise
                time.sleep(0.005)
        self.start_seconds = time.perf_counter() - begun

    def push(self, built: BuiltDag) -> None:
        """Register a DAG as `leoflow push` does."""
        token = self._token or self._read_token()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        (self._home / "projects" / built.spec.dag_id).mkdir()
        body = _BUILT.dump_json(built)
        request = urllib.request.Request(f"{self._url}/api/v2/dags", body, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS):
            pass

    def _read_token(self) -> str:
        """Wait until the server says that there is one: it is made after the first answer."""
        while b"token of an admin" not in (self._home / LOG_NAME).read_bytes():
            time.sleep(0.01)
        self._token = (self._home / "admin.token").read_text().strip()
        return self._token

    def cpu_seconds(self) -> float:
        """Give the processor time that the process has used."""
        text = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(text[11]) + int(text[12])) / _TICKS

    def memory_mb(self) -> int:
        """Give its resident memory."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) // 1024


@contextmanager
def served(home: Path, url: str | None, port: int) -> Iterator[Served]:
    """Start a server with ``home`` and give it once it answers; no task of it is ever run."""
    projects = home / "projects"
    projects.mkdir(exist_ok=True)
    command = [str(Path(sys.executable).with_name("leoflow")), "server", "--port", str(port)]
    command += ["--executor", "subprocess", "--subprocess-projects", str(projects)]
    command += ["--db", url] if url else []
    environment = {**os.environ, "LEOFLOW_HOME": str(home)}
    begun = time.perf_counter()
    with (home / LOG_NAME).open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=log)
    try:
        server = Served(process, home, f"http://127.0.0.1:{port}")
        server.await_health(begun)
        yield server
    finally:
        process.terminate()
        process.wait()


def figures_at_start(server: Served) -> dict[str, Any]:
    """Give what a start took."""
    return {
        "start_seconds": round(server.start_seconds, 2),
        "start_cpu_seconds": server.cpu_seconds(),
        "rss_mb": server.memory_mb(),
    }
