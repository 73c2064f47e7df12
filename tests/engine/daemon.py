"""Starts and stops containerd and dockerd on a socket, a data root and a pidfile of their own.

It touches nothing of another engine: whatever it stops, unmounts or deletes lies in its folder.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine import client
from engine.report import EngineUnavailable, say

DATA_VARIABLE = "LEOFLOW_TEST_ENGINE_DATA"
BRIDGE = Path("/sys/class/net/docker0")
START_SECONDS = 60.0
STOP_SECONDS = 40.0
CONTAINERD_CONFIG = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
Process = subprocess.Popen[bytes]
ENGINE_CONFIG = {"features": {"containerd-snapshotter": True}}


@dataclass(frozen=True)
class Engine:
    """A private engine in a folder; nothing runs until `start`."""

    folder: Path

    @property
    def host(self) -> str:
        return f"unix://{self.folder / 'docker.sock'}"

    @property
    def data(self) -> Path:
        return Path(os.environ.get(DATA_VARIABLE) or self.folder / "data").absolute()

    def environment(self) -> dict[str, str]:
        """Return the variables a command needs to use this engine."""
        return client.settings_for(self.host, self.folder)

    def answers(self) -> bool:
        """Tell whether this engine runs; one in another user's folder is not ours."""
        if not self.folder.is_dir() or self.folder.stat().st_uid != os.geteuid():
            return False
        return client.answers({**os.environ, "DOCKER_HOST": self.host})

    def start(self, *, dies_with_parent: bool) -> None:
        """Start the engine and wait until it answers."""
        self._make_folder()
        self._note_bridge()
        say(f"starting a private dockerd in {self.folder}")
        containerd = self._spawn("containerd", self._containerd_arguments(), dies_with_parent)
        self._wait("containerd", containerd, (self.folder / "containerd.sock").exists)
        dockerd = self._spawn("dockerd", self._dockerd_arguments(), dies_with_parent)
        self._wait("dockerd", dockerd, self.answers)
        say(f"it answers at {self.host}")

    def stop(self) -> None:
        """Stop the engine and remove what it left, except for data kept by the environment."""
        for name in ("dockerd", "containerd"):
            self._stop_process(name)
        _unmount_below(self.folder)
        if DATA_VARIABLE in os.environ:
            _unmount_below(self.data)
        if (self.folder / "owns-bridge").exists() and BRIDGE.exists():
            subprocess.run(["ip", "link", "delete", BRIDGE.name], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.folder.is_symlink() or self.folder.stat().st_uid != os.geteuid():
            raise EngineUnavailable(f"'{self.folder}' belongs to somebody else. Remove it")
        self.data.mkdir(parents=True, exist_ok=True)

    def _note_bridge(self) -> None:
        if not BRIDGE.exists():
            (self.folder / "owns-bridge").touch()

    def _containerd_arguments(self) -> list[str]:
        config = self.folder / "containerd.toml"
        config.write_text(CONTAINERD_CONFIG, encoding="utf-8")
        return [
            f"--config={config}",
            f"--root={self.data / 'containerd'}",
            f"--state={self.folder / 'containerd'}",
            f"--address={self.folder / 'containerd.sock'}",
        ]

    def _dockerd_arguments(self) -> list[str]:
        config = self.folder / "daemon.json"
        config.write_text(json.dumps({**ENGINE_CONFIG, **_further_runtimes()}), encoding="utf-8")
        return [
            f"--config-file={config}",
            f"--host={self.host}",
            f"--containerd={self.folder / 'containerd.sock'}",
            f"--data-root={self.data / 'docker'}",
            f"--exec-root={self.folder / 'exec'}",
            f"--pidfile={self.folder / 'docker.pid'}",
        ]

    def _spawn(self, name: str, arguments: list[str], dies_with_parent: bool) -> Process:
        with (self.folder / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                [name, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent if dies_with_parent else None,
            )
        (self.folder / f"{name}.started").write_text(str(child.pid), encoding="ascii")
        return child

    def _wait(self, name: str, process: Process, is_up: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
                raise EngineUnavailable("\n".join([f"{name} did not start:", *log[-15:]]))
            time.sleep(0.1)

    def _pid(self, name: str) -> int | None:
        """Return the id of a process that this folder started and that still runs."""
        try:
            pid = int((self.folder / f"{name}.started").read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if str(self.folder).encode() in command else None

    def _stop_process(self, name: str) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            pid = self._pid(name)
            if pid is None:
                return
            os.kill(pid, number)
            self._wait_for_exit(name, pid)

    def _wait_for_exit(self, name: str, pid: int) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while self._pid(name) is not None and time.monotonic() < deadline:
            _reap(pid)
            time.sleep(0.05)


def _further_runtimes() -> dict[str, object]:
    """Offer crun where it is installed; nothing uses it unless it is asked for."""
    found = shutil.which("crun")
    return {"runtimes": {"crun": {"path": found}}} if found else {}


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # started by an earlier command
        os.waitpid(pid, os.WNOHANG)


def _die_with_parent() -> None:
    set_death_signal = 1
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGTERM)


def _unmount_below(folder: Path) -> None:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [line.split()[4] for line in lines]
    for point in reversed([point for point in points if point.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", point], capture_output=True)
