"""Runs Debian's docker-registry on loopback, for the tests that push to a real one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from freeport import free_port
from programs import require_program

START_SECONDS = 60


@contextmanager
def running_registry(folder: Path, **sections: Any) -> Iterator[str]:
    """Run a registry that keeps everything in a folder; give its host."""
    program = require_program("docker-registry")
    host = f"127.0.0.1:{free_port()}"
    http = {"addr": host, "secret": "any", **sections.pop("http", {})}
    storage = {"filesystem": {"rootdirectory": str(folder / "storage")}}
    config = {"version": "0.1", "storage": storage, "http": http, **sections}
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", folder / "config.yml"],
            stdout=log,
            stderr=log,
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )
    try:
        _wait(host, process, folder / "registry.log")
        yield host
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _wait(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    name, port = host.split(":")
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((name, int(port)), 1).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
