"""Measures in containers of a built image how long a task's module takes until it could be called.

The image's own agent runs, with the task's resources, and no function of the user's is called.
It judges nothing.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol
from uuid import uuid4

from leoflow_agent.spec import Resources
from leoflow_agent.wire import PROTOCOL, Event, Inputs, Job, TaskContext, Workload

from leoflow_builder.agentlistener import SOCKET_NAME, AgentListener, listening
from leoflow_builder.failure import BuildError, EngineError
from leoflow_builder.plan import USER
from leoflow_builder.quantity import format_memory
from leoflow_builder.scratch import scratch_folder

RUN_SECONDS = 120.0
SOCKET_FOLDER = "/run/leoflow"
# What every module has, costs nothing and changes nothing: the agent calls it in place of the
# task's function.
HARMLESS_FUNCTION = "__sizeof__"
MAX_CPU_SHARES = 262144
PIDS_LIMIT = 4096
_KILLED = 137


class MeasureError(BuildError):
    """A task could not be measured; the text says why and what to do."""


@dataclass(frozen=True)
class Probe:
    """What is measured: a module, under a task's resources. ``task_id`` is for messages.

    ``fresh_interpreter``: the DAG declares PYTHON* variables, which cost a second start.
    """

    task_id: str
    module: str
    resources: Resources
    fresh_interpreter: bool = False


@dataclass(frozen=True)
class Timing:
    """One start, in milliseconds: from the engine's StartedAt until the agent begins to import,
    and from then until the first line of the task's function could run."""

    start_ms: float
    import_ms: float

    @property
    def user_code_ms(self) -> float:
        """From the container's start to the first line of user code."""
        return self.start_ms + self.import_ms


class Stopwatch(Protocol):
    """Measures starts of containers; MeasureError or EngineError if there is nothing to measure."""

    def time_start(self, probe: Probe) -> Timing:
        """Start one container and return where its time went."""
        ...

    def trace_imports(self, probe: Probe) -> str:
        """Return what `-X importtime` writes in one more container."""
        ...


class ContainerStopwatch:
    """Measures in containers of an image, by the `docker` command. See `opened`."""

    def __init__(self, image: str, socket_folder: Path, listener: AgentListener) -> None:
        self._image = image
        self._socket_folder = socket_folder
        self._listener = listener

    def time_start(self, probe: Probe) -> Timing:
        """See `Stopwatch`."""
        self._listener.take()
        mount = f"type=bind,source={self._socket_folder},target={SOCKET_FOLDER},readonly"
        with _container() as name:
            options = [*_run_options(name, probe), "--mount", mount, self._image]
            done = _docker(["run", *options], probe)
            events = self._listener.take()
            _refuse_failure(probe, done, events)
            said = _docker(["inspect", "--format", "{{.State.StartedAt}}", name], probe)
        return read_timing(datetime.fromisoformat(said.stdout.decode().strip()), events)

    def trace_imports(self, probe: Probe) -> str:
        """See `Stopwatch`. Only the half of the agent that imports runs, without the other."""
        python, *arguments = self._entrypoint(probe)
        # For variables that only a fresh interpreter obeys, the agent starts one without flags.
        flags = [] if probe.fresh_interpreter else arguments[:-1]
        traced = ["-X", "importtime", *flags, arguments[-1], "1", "0"]
        with _container() as name:
            options = [*_run_options(name, probe), "--entrypoint", python, self._image]
            done = _docker(["run", *options, *traced], probe)
            _refuse_failure(probe, done, [])
        return done.stderr.decode(errors="replace")

    def _entrypoint(self, probe: Probe) -> list[str]:
        order = ["image", "inspect", "--format", "{{json .Config.Entrypoint}}", self._image]
        done = _docker(order, probe)
        if done.returncode != 0:
            raise EngineError(f"the image '{self._image}' is not in the engine. Build it again")
        entrypoint: list[str] = json.loads(done.stdout)
        return entrypoint


@contextmanager
def opened(image: str) -> Iterator[ContainerStopwatch]:
    """Give a stopwatch for an image; EngineError if the engine is not on this machine."""
    _require_local_engine()
    # An address of a socket ends at 104 bytes, which a TMPDIR of one's own may take up.
    place = Path(tempfile.gettempdir() if len(tempfile.gettempdir()) < 50 else "/tmp")
    with scratch_folder("leoflow-budget-", place) as folder:
        # Others of this machine stop at the outer folder; a container sees only the inner one.
        inner = folder / "agent"
        inner.mkdir()
        inner.chmod(0o755)
        with listening(inner) as listener:
            yield ContainerStopwatch(image, inner, listener)


def read_timing(started_at: datetime, events: Sequence[Event]) -> Timing:
    """Return where the time went, by the agent's events. Pure."""
    entered = next(event for event in events if event["type"] == "entered")
    start = entered["import_started"] - started_at.timestamp()
    # Below zero is only the disagreement of two clocks.
    return Timing(max(0.0, start) * 1000, (entered["entered"] - entered["import_started"]) * 1000)


def resource_options(resources: Resources) -> list[str]:
    """Return `docker run`'s options for a task's resources, as the control plane sets them.

    A CPU request is a share by the kubelet's formula, only a CPU limit is a quota. Pure.
    """
    options = []
    if resources.requests.cpu_millis is not None:
        shares = resources.requests.cpu_millis * 1024 // 1000
        options += ["--cpu-shares", str(min(max(2, shares), MAX_CPU_SHARES))]
    if resources.limits.cpu_millis is not None:
        options += ["--cpus", f"{resources.limits.cpu_millis / 1000:.3f}"]
    memory = resources.memory_limit_bytes
    if memory is not None:
        options += ["--memory", str(memory), "--memory-swap", str(memory)]
    return options


def make_workload(probe: Probe) -> Workload:
    """Return the workload of a try that imports the module and calls nothing of it. Pure."""
    moment = "1970-01-01T00:00:00+00:00"
    return Workload(
        protocol=PROTOCOL,
        endpoint=f"unix:{SOCKET_FOLDER}/{SOCKET_NAME}",
        ca=None,
        token="",
        context=TaskContext(
            dag_id="budget",
            run_id="budget",
            task_id=probe.task_id,
            map_index=-1,
            try_number=1,
            max_tries=1,
            logical_date=moment,
            data_interval_start=moment,
            data_interval_end=moment,
            params={},
            conf={},
        ),
        job=Job(kind="python", module=probe.module, function=HARMLESS_FUNCTION, command=None),
        inputs=Inputs(args=[], kwargs={}, environment={}, request=None),
        fresh_interpreter=probe.fresh_interpreter,
        execution_timeout_seconds=None,
        grace_seconds=1.0,
        heartbeat_seconds=60.0,
        patience_seconds=10.0,
        xcom_limit_bytes=1024,
    )


def _run_options(name: str, probe: Probe) -> list[str]:
    options = ["--name", name, "--network", "none", "--pull", "never", "--user", USER]
    options += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    options += ["--pids-limit", str(PIDS_LIMIT), *resource_options(probe.resources)]
    return [*options, "--env", f"LEOFLOW_WORKLOAD={json.dumps(make_workload(probe))}"]


@contextmanager
def _container() -> Iterator[str]:
    name = f"leoflow-budget-{uuid4().hex[:12]}"
    try:
        yield name
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True)


def _docker(order: Sequence[str], probe: Probe) -> CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["docker", *order],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=RUN_SECONDS,
        )
    except FileNotFoundError:
        raise EngineError("the `docker` command is not on PATH. Install it") from None
    except subprocess.TimeoutExpired:
        raise MeasureError(
            f"task '{probe.task_id}': its module '{probe.module}' was not imported within "
            f"{RUN_SECONDS:g} s. Look for code outside of functions that waits for something"
        ) from None


def _refuse_failure(probe: Probe, done: CompletedProcess[bytes], events: Sequence[Event]) -> None:
    if done.returncode == 0:
        return
    said = done.stderr.decode(errors="replace").strip()[-800:]
    reasons = [event["reason"] for event in events if event["type"] == "finished"]
    reason = reasons[0] if reasons and reasons[0] else f"exit code {done.returncode}"
    if done.returncode == _KILLED:
        limit = probe.resources.memory_limit_bytes
        shown = "" if limit is None else f"; its memory limit is {format_memory(limit)}"
        reason = f"the kernel killed it{shown}"
    raise MeasureError(f"task '{probe.task_id}' cannot be measured: {reason}\n{said}".strip())


def _require_local_engine() -> None:
    """Refuse an engine whose containers cannot see a socket of this machine's."""
    order = ["docker", "info", "--format", "{{.ServerErrors}}\t{{.OperatingSystem}}\t{{.Name}}"]
    try:
        done = subprocess.run(order, capture_output=True, text=True)
        place = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
        endpoint = subprocess.run(place, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        raise EngineError("the `docker` command is not on PATH. Install it") from None
    if done.returncode != 0:
        raise EngineError(f"the engine does not answer: {done.stderr.strip()}. Start it")
    if "Docker Desktop" in done.stdout or not endpoint.startswith("unix:"):
        raise EngineError(
            f"import_ms and user_code_ms are measured over a Unix socket, which containers of the "
            f"engine at '{endpoint}' cannot reach. Check them on a Linux machine with an engine"
        )
