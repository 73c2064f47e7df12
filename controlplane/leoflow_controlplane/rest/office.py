"""What the endpoints work with. Protocols and one value; agents have a `Desk`, people an Office."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Concatenate, Literal, NamedTuple, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from leoflow_controlplane.command import Commands
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.secretsource import Kind
from leoflow_controlplane.store.query.summary import Summaries
from leoflow_controlplane.store.sealed import Sealed

P = ParamSpec("P")
T = TypeVar("T")

State = Literal["healthy", "unhealthy"]


class Reader(Protocol):
    """Runs queries on connections of their own; what they see is committed."""

    async def read(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...


class Writer(Protocol):
    """Runs steps in the one transaction that is open; what they wrote is durable on return."""

    async def run(
        self, step: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...


class Ring(Protocol):
    """Something that is going to happen."""

    async def wait(self) -> object: ...


Watch = Callable[[RunKey], Ring]
"""Gives what the next change of a run, or the next line of its logs, sets off. To be taken before
looking, so that nothing is missed. It may be set off for no reason."""


class Secrets(Protocol):
    """Variables and connections: opens them for who may see them, and changes them."""

    def open(self, row: Sealed) -> str:
        """Decrypt a row; SecretUnreadable says why that is impossible."""

    async def add(self, kind: Kind, name: str, text: str, description: str | None) -> None:
        """Add one; Conflict if there is one of the name, Refused if it is none."""

    async def change(self, kind: Kind, name: str, text: str, description: str | None) -> None:
        """Change one; NotFound if there is none."""

    async def remove(self, kind: Kind, name: str) -> None:
        """Remove one; NotFound if there is none."""


class Part(NamedTuple):
    """How a part of the control plane is. ``seen_at``: when it last showed that it lives."""

    status: State
    detail: str | None = None
    seen_at: float | None = None


class Health(NamedTuple):
    """How the parts are that have to be well for anything to be acknowledged."""

    database: Part
    scheduler: Part
    executor: Part
    # Whether what is stored encrypted can be read; where nobody leads it is not looked at.
    secrets: Part = Part("healthy")
    # Whether this process schedules; its peers only answer.
    leads: bool = True

    @property
    def well(self) -> bool:
        """Whether what is sent here can be acknowledged."""
        return self.database.status == "healthy" and self.scheduler.status == "healthy"


@dataclass(frozen=True)
class Office:
    """All that the endpoints may use of the control plane.

    ``slots`` is how many tries run at once; ``clock`` gives seconds since the epoch.
    """

    commands: Commands
    reader: Reader
    writer: Writer
    watch: Watch
    secrets: Secrets
    probe: Callable[[], Awaitable[Health]]
    slots: int
    clock: Callable[[], float]
    forget_tokens: Callable[[], None] = lambda: None
    summaries: Summaries = field(default_factory=Summaries)
