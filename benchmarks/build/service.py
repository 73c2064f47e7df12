"""The two servers that a comparison needs, both on loopback: a package index and a registry.

Each is a process of its own that ends with the ``with`` block.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.build.packageindex import lay_out
from benchmarks.build.process import BenchError, free_port, wait_for_port


@contextmanager
def package_index(wheels: Path, work: Path) -> Iterator[str]:
    """Serve a folder of wheels; yield the index's URL.

    The port is the same in all runs with one work folder: caches know wheels by their URL.
    """
    root = work / "index"
    lay_out(wheels, root)
    port = _kept_port(work / "index.port")
    command = [sys.executable, "-m", "benchmarks.build.packageindex", str(root), str(port)]
    with _running(command, port, work / "index.log"):
        yield f"http://127.0.0.1:{port}/simple/"


@contextmanager
def registry(work: Path) -> Iterator[str]:
    """Serve an empty registry over plain HTTP; yield its host, `127.0.0.1:PORT`."""
    if shutil.which("docker-registry") is None:
        raise BenchError("'docker-registry' is not installed. Run benchmarks/build/install-tools")
    data = work / "registry"
    shutil.rmtree(data, ignore_errors=True)
    port = free_port()
    host = f"127.0.0.1:{port}"
    settings = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(data)}},
        "http": {"addr": host},
    }
    configuration = work / "registry.json"  # JSON is YAML
    configuration.write_text(json.dumps(settings), encoding="utf-8")
    command = ["docker-registry", "serve", str(configuration)]
    with _running(command, port, work / "registry.log"):
        yield host


def _kept_port(file: Path) -> int:
    if not file.exists():
        file.write_text(str(free_port()), encoding="ascii")
    return int(file.read_text(encoding="ascii"))


@contextmanager
def _running(command: Sequence[str], port: int, log: Path) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for_port(port, process, Path(command[0]).name)
        yield
    finally:
        process.terminate()
        process.wait()
