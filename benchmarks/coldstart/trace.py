"""Watches the product at its seams while it runs a DAG: reports that arrive, containers asked for.

It changes two things of what it watches: the control group of a container, so that its CPU can be
read afterwards, and what the containers of some images run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar, cast

from leoflow_agent.wire import Acknowledgement, Report
from leoflow_controlplane.api import Desk
from leoflow_controlplane.container import ContainerSite, container_name
from leoflow_controlplane.executor.docker.engine import Begun, Engine, open_engine
from leoflow_controlplane.executor.docker.executor import DockerExecutor
from leoflow_controlplane.executor.docker.wayback import reach
from leoflow_controlplane.executor.protocol import ExecutorFactory, Site
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import TryKey

from benchmarks.build.process import BenchError
from benchmarks.coldstart.cpumeter import CpuMeter

# Parts of the body of a create call, by the reference of the image.
Changes = Mapping[str, Mapping[str, Any]]
K = TypeVar("K")
V = TypeVar("V")


class Verdict(NamedTuple):
    """The way of a try's last event; seconds since the epoch.

    ``written``: the agent saw the end of the task's process. ``arrived``: the report is here, and
    read. ``committed``: it is durable, and what follows from it is handed out.
    """

    written: float
    arrived: float
    committed: float


class Trace:
    """What was seen. ``verdicts`` are found by the instant `left` of their try."""

    def __init__(self) -> None:
        self.verdicts: dict[float, Verdict] = {}
        self._handed: dict[TryKey, float] = {}
        self._names: dict[TryKey, str] = {}
        self._requested: dict[str, float] = {}

    def watch(self, desk: Desk) -> None:
        """Note every report that ``desk`` takes in from now on."""
        take = desk.take_report

        def take_report(token: str, report: Report) -> asyncio.Future[Acknowledgement]:
            arrived = time.time()

            def note(taken: asyncio.Future[Acknowledgement]) -> None:
                if taken.cancelled() or taken.exception() is not None:
                    return
                for event in report["events"]:
                    if event["type"] == "finished":
                        verdict = Verdict(event["at"], arrived, time.time())
                        self.verdicts[event["left"]] = verdict

            taken = take(token, report)
            taken.add_done_callback(note)
            return taken

        # The desk is made inside the control plane, which offers no other place to stand.
        desk.take_report = take_report  # type: ignore[method-assign]

    def note_handed(self, key: TryKey, name: str) -> None:
        """Note that a try was handed to the executor, as a container of this name."""
        self._handed[key], self._names[key] = time.time(), name

    def note_requested(self, name: str) -> None:
        """Note that the engine is asked for a container now."""
        self._requested[name] = time.time()

    def handed(self, key: TryKey) -> float:
        """Return when a try was handed to the executor; BenchError if it never was."""
        return self._seen(self._handed, key)

    def requested(self, key: TryKey) -> float:
        """Return when the engine was asked for the container of a try; BenchError as above."""
        return self._seen(self._requested, self.container(key))

    def container(self, key: TryKey) -> str:
        """Return the name of the container of a try; BenchError as above."""
        return self._seen(self._names, key)

    @staticmethod
    def _seen(known: Mapping[K, V], key: K) -> V:
        if key not in known:
            raise BenchError(f"'{key}' did not come by where containers are asked for")
        return known[key]


class TracedExecutor(DockerExecutor):
    """The product's executor for containers, which notes what it is handed."""

    def __init__(self, trace: Trace, place: ContainerSite, site: Site, seam: Seam, at: str) -> None:
        super().__init__(cast(Engine, seam), place, site, at)
        self._trace = trace
        self._home_id = place.home_id

    async def start(self, launch: Launch) -> dict[str, float]:
        """Note a try, and start it as ever."""
        self._trace.note_handed(launch.key, container_name(launch.key, self._home_id))
        return await super().start(launch)


class Seam:
    """An engine, of which one call is watched."""

    def __init__(
        self,
        engine: Engine,
        trace: Trace,
        meter: CpuMeter,
        changes: Changes,
    ) -> None:
        self._engine = engine
        self._trace = trace
        self._meter = meter
        self._changes = changes

    def create_and_start(self, name: str, body: Mapping[str, Any]) -> Begun:
        """Note that a container is asked for, and ask for it with what is changed."""
        changed = {**body, "HostConfig": {**body["HostConfig"]}}
        changed["HostConfig"]["CgroupParent"] = self._meter.parent(name)
        changed |= self._changes.get(body["Image"], {})
        self._trace.note_requested(name)
        return self._engine.create_and_start(name, changed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def traced_executor(trace: Trace, meter: CpuMeter, changes: Changes) -> ExecutorFactory:
    """Give the factory of the product's executor for containers, watched.

    Raises ExecutorUnusable.
    """

    async def make(site: Site) -> DockerExecutor:
        engine = await asyncio.to_thread(open_engine)
        try:
            trace.watch(site.desk)
            place, endpoint = await reach(engine, site, None)
            seam = Seam(engine, trace, meter, changes)
            executor = TracedExecutor(trace, place, site, seam, endpoint)
            await executor.open()
        except BaseException:
            engine.close()
            raise
        return executor

    return make
