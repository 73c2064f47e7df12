"""What every place where tries run can do. Values and a protocol only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from leoflow_agent.spec import TaskSpec
from leoflow_agent.wire import Workload

from leoflow_controlplane.agentserver import AgentServer
from leoflow_controlplane.api import Desk
from leoflow_controlplane.instance import Instance
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.verdict import Exit


class Launch(NamedTuple):
    """All that is needed to start a try. ``environment`` is what the DAG declares."""

    key: TryKey
    image: str
    workload: Workload
    task: TaskSpec
    environment: Mapping[str, str]
    artifacts: Path | None


class Ended(NamedTuple):
    """A try's process is gone. Instants are seconds since the epoch, None where unknown."""

    key: TryKey
    exit: Exit
    started_at: float | None = None
    ended_at: float | None = None


class Site(NamedTuple):
    """What an executor may use of the process that it belongs to."""

    instance: Instance
    server: AgentServer
    desk: Desk


class Executor(Protocol):
    """Starts each try at most once and tells of the end of each that it started, exactly once.

    ``endpoint`` is where the agents that it starts find the control plane, ``ca`` the
    certificates (PEM) that they check an https endpoint's against, None for the image's own.
    """

    @property
    def endpoint(self) -> str: ...

    @property
    def ca(self) -> str | None: ...

    async def start(self, launch: Launch) -> Mapping[str, float]:
        """Start a try; return the instants of the phases that are known. Raises LaunchFailed."""

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Ask a try to stop, and end it after the grace; its end is told as any other. A try
        that is not here is none of our business."""

    async def ended(self) -> Ended:
        """Wait for the next try that ended. What is left of it stays until `remove`."""

    async def log_tail(self, key: TryKey) -> str | None:
        """Give the last lines of what a try wrote, if they can be had."""

    async def left_verdict(self, key: TryKey) -> bytes | None:
        """Give the document that the agent of a try which ended left of its verdict, if it did."""

    async def remove(self, key: TryKey) -> None:
        """Remove what is left of a try that ended; harmless when there is nothing."""

    async def sweep(self) -> list[str]:
        """Remove what dead processes of the same home left behind, and name it."""

    async def close(self) -> None:
        """Stop and remove everything that was started here."""


ExecutorFactory = Callable[[Site], Awaitable[Executor]]
