"""What every place where tries run can do. Values and a protocol only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from leoflow_agent.spec import TaskSpec

from leoflow_controlplane.agentserver import AgentServer
from leoflow_controlplane.api import Desk
from leoflow_controlplane.instance import Instance
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import SERVER, RunKey, TryKey
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.verdict import Exit


class Ended(NamedTuple):
    """A try's process is gone. Instants are seconds since the epoch, None where unknown.

    ``placed_at``: a machine was found for it, where there are many.
    """

    key: TryKey
    exit: Exit
    started_at: float | None = None
    ended_at: float | None = None
    placed_at: float | None = None


class Limits(NamedTuple):
    """How long an executor tries, in seconds; each is named after the setting that it comes from.

    ``engine_grace``: an engine that is away for longer has lost what it ran. The last three are
    Kubernetes' own: waiting for a node, for a pull that fails to go well, and for a quota.
    """

    pull_timeout_seconds: float = 600.0
    start_timeout_seconds: float = 120.0
    engine_grace_seconds: float = 60.0
    schedule_timeout_seconds: float = 600.0
    pull_grace_seconds: float = 120.0
    quota_wait_seconds: float = 600.0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Take the limits from the settings."""
        return cls(*(getattr(settings, name) for name in cls._fields))


class Site(NamedTuple):
    """What an executor may use of the process that it belongs to.

    ``owner`` is whose the tries are: model.SERVER, whichever process leads, or None for this
    process's own, which end with it. ``realm`` names all that may adopt from one another: None
    for this home, else what the replicas of a server that have a database in common agree on.
    """

    instance: Instance
    server: AgentServer
    desk: Desk
    owner: str | None = None
    realm: str | None = None
    limits: Limits = Limits()

    @property
    def is_server(self) -> bool:
        """Whether what is started here outlives this process."""
        return self.owner == SERVER

    @property
    def owner_id(self) -> str:
        """Whose the tries are."""
        return self.owner or self.instance.id

    @property
    def realm_id(self) -> str:
        """Name all that may adopt from one another."""
        return self.realm or self.instance.home_id


@dataclass
class Figures:
    """What an executor has done since it was made, for whoever counts; only it changes them.

    ``running``: tries that it has started or adopted and whose end it has not told.
    """

    running: int = 0
    started: int = 0
    adopted: int = 0
    pulls: int = 0
    pull_failures: int = 0
    pull_seconds: float = 0.0
    engine_errors: int = 0


# Names those of some runs that are known.
FindRuns = Callable[[Collection[RunKey]], Awaitable[Collection[RunKey]]]


class PodChecker(Protocol):
    """Who can be asked about Pods. ``advice``: what to look at when a Pod runs and its agent does
    not report. ``prepulls``: whether images are wanted on the nodes ahead of need."""

    @property
    def advice(self) -> str: ...

    @property
    def prepulls(self) -> bool: ...

    def starting(self, seconds: float) -> frozenset[TryKey]:
        """Name the tries whose container does not run yet, or only for less than ``seconds``: for
        all before that the executor has limits of its own."""

    def place_of_artifacts(self, key: TryKey) -> str:
        """Say where a try leaves its files for people, in words for them."""

    async def prune(self, find: FindRuns) -> None:
        """Remove what was kept for people of runs that ``find`` does not know any more. What goes
        wrong is only logged."""

    async def prepull(self, image: str, tasks: Iterable[TaskSpec]) -> int:
        """Have an image pulled wherever ``tasks`` may run; return on how many nodes it is then.
        Takes as long as a pull; what goes wrong is only logged."""

    async def find_refusal(self, launch: Launch) -> str | None:
        """Ask whether the cluster would take the Pod of a try; give its words if it would not.

        What may be otherwise later, such as a quota or an API server that is away, is no refusal.
        Raises LaunchFailed when no Pod can be made of the launch.
        """


class Executor(Protocol):
    """Starts each try at most once and tells of the end of each that it started, exactly once.

    ``endpoint`` is where the agents that it starts find the control plane, ``ca`` the
    certificates (PEM) that they check an https endpoint's against, None for the image's own.
    ``trouble`` is what keeps every try from being started at the moment, for people; anybody may
    see it. None if nothing is known to. ``pods``: who can be asked about the Pods that tries are;
    None where they are none, and what a task says of its Pod has no effect. A Pod that vanished
    before anybody saw it may be created once more: its task begins only when its agent was heard,
    and of a try one agent is.
    """

    @property
    def endpoint(self) -> str: ...

    @property
    def ca(self) -> str | None: ...

    @property
    def figures(self) -> Figures: ...

    @property
    def trouble(self) -> str | None: ...

    @property
    def pods(self) -> PodChecker | None: ...

    async def start(self, launch: Launch) -> Mapping[str, float]:
        """Start a try; return the instants of the phases that are known. Raises LaunchFailed.

        May take as long as Limits allow: what is transient was tried again when it raises. A try
        that was started before, by whomever, is adopted: its task never begins twice.
        """

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Ask a try to stop, and end it after the grace; its end is told as any other. A try
        that is not here is none of our business. The start of one whose image is still being
        pulled raises LaunchFailed."""

    async def ended(self) -> Ended:
        """Wait for the next try that ended. What is left of it stays until `remove`."""

    async def log_tail(self, key: TryKey) -> str | None:
        """Give the last lines of what a try wrote, if they can be had."""

    async def left_verdict(self, key: TryKey) -> bytes | None:
        """Give the document that the agent of a try which ended left of its verdict, if it did."""

    async def remove(self, key: TryKey) -> None:
        """Remove what is left of a try that ended; harmless when there is nothing."""

    async def end_run(self, run: RunKey) -> None:
        """Remove the folder that the tries of ``run`` shared; harmless when there is none, and
        done later if one of them is still there. One on which artifacts are stays."""

    async def adopt(self, wanted: Collection[TryKey], runs: Collection[RunKey]) -> set[TryKey]:
        """Take over those of ``wanted`` that a dead process of this owner had started; name them.

        Their ends are told as any other, also of those that have ended since. One that is not
        named has never run and may be started. What else this owner had started is ended and
        removed, the shared folders of all but ``runs``, which are the unfinished ones, too.
        """

    async def sweep(self) -> list[str]:
        """Remove what dead processes of the same home left behind, and name it. What a server
        started is left to the next one."""

    async def close(self, leave_running: bool = False) -> None:
        """Stop and remove everything that was started here, or leave it to be adopted."""


ExecutorFactory = Callable[[Site], Awaitable[Executor]]
