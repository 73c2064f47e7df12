"""What this process is at the moment: the one that leads, with a control plane, or one that reads.

The REST API and the agents' keep to the seat, and whoever sits in it may change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from leoflow_agent.spec import BuiltDag
from leoflow_agent.wire import Acknowledgement, Inputs, Pulled, Report
from sqlalchemy import Connection, text

from leoflow_controlplane.api import Desk
from leoflow_controlplane.command import Commands, Registered
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.database import Database
from leoflow_controlplane.database.leadership import find_leader
from leoflow_controlplane.error import DagRefused, DatabaseUnusable, NotLeading
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.rest.office import Health, Part, Ring
from leoflow_controlplane.storedsecrets import StoredSecrets

P = ParamSpec("P")
T = TypeVar("T")

PROBE_SECONDS = 2.0
_NOBODY = "this process does not lead at the moment. Ask again."


class Seat:
    """Answers for the control plane that there is. ``url`` is where peers find this process;
    ``refuse_dag`` says why a DAG of an id cannot run here, if it cannot; ``left`` is called when
    nobody sits here any more: who waits for something has to ask the next one."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float],
        refuse_dag: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self.url = url
        self.database: Database | None = None
        self.secrets: StoredSecrets | None = None
        self.refuse_dag = refuse_dag
        self.left: Callable[[], None] = lambda: None
        # Who takes in what agents say, None while nobody leads here.
        self.desk: Desk | None = None
        self._clock = clock
        self._plane: ControlPlane | None = None

    @property
    def leads(self) -> bool:
        """Whether a control plane runs in this process."""
        return self._plane is not None

    @property
    def commands(self) -> Commands:
        """Take commands to the control plane; NotLeading if there is none."""
        return cast(Commands, _Relay(self))

    @property
    def plane(self) -> ControlPlane:
        """The control plane; NotLeading if there is none."""
        if self._plane is None:
            raise NotLeading(_NOBODY)
        return self._plane

    def take(self, plane: ControlPlane) -> None:
        """Let a control plane that runs take the seat."""
        self._plane, self.desk = plane, plane.desk

    def leave(self) -> None:
        """Empty the seat."""
        self._plane = self.desk = None
        self.left()

    async def read(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a query; DatabaseUnusable while no database is open."""
        return await self._opened().read(query, *args, **kwargs)

    async def run(
        self, step: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a step; NotLeading if that is another process's to do."""
        return await self._opened().run(step, *args, **kwargs)

    def watch(self, key: RunKey) -> Ring:
        """Give what the next change of a run sets off; nothing, where nobody leads."""
        return asyncio.Event() if self._plane is None else self._plane.desk.bell.next_ring(key)

    async def find_leader(self) -> str | None:
        """Give the URL of the process that leads, None if it is nobody or was this one."""
        leader = await self.read(find_leader)
        return None if leader is None or leader.url == self.url else leader.url

    async def probe(self) -> Health:
        """Tell how the parts are."""
        database = await self._probe_database()
        if self._plane is None:
            scheduler = await self._probe_peer(database)
            return Health(database, scheduler, Part("healthy"), leads=False)
        desk = self._plane.desk
        scheduler = Part("healthy", seen_at=self._clock())
        if desk.failure is not None:
            scheduler = Part("unhealthy", "the scheduler failed")
        secrets = None if self.secrets is None else self.secrets.trouble
        return Health(database, scheduler, _part(desk.executor_trouble), _part(secrets))

    async def _probe_database(self) -> Part:
        if self.database is not None and self.database.trouble is not None:
            return Part("unhealthy", self.database.trouble)
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self.read(_look)
        except TimeoutError:
            return Part("unhealthy", f"the database did not answer in {PROBE_SECONDS:g} s")
        except DatabaseUnusable as error:
            return Part("unhealthy", str(error))
        return Part("healthy")

    async def _probe_peer(self, database: Part) -> Part:
        if database.status != "healthy":
            return Part("unhealthy", "who leads cannot be looked up")
        url = await self.find_leader()
        return Part("unhealthy", "no replica leads") if url is None else Part("healthy", url)

    def _opened(self) -> Database:
        if self.database is None:
            raise DatabaseUnusable("the database is not open yet. Ask again.")
        return self.database


class SeatDesk:
    """Takes what agents say to whoever sits in the seat; an agent asks again if nobody does."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def check_token(self, token: str) -> TryKey:
        """Name the try of a token; Unauthorized for one that is none."""
        return self._desk().check_token(token)

    def take_report(self, token: str, report: Report) -> asyncio.Future[Acknowledgement]:
        """Make a report durable."""
        return self._desk().take_report(token, report)

    async def give_inputs(self, token: str) -> Inputs:
        """Look up the inputs of a try."""
        return await self._desk().give_inputs(token)

    async def give_xcom(self, token: str, task_id: str, key: str, map_index: int) -> Pulled:
        """Look up what a task of the try's run left."""
        return await self._desk().give_xcom(token, task_id, key, map_index)

    def _desk(self) -> Desk:
        if self._seat.desk is None:
            # What agents understand: to keep what they have, and to come again.
            raise DatabaseUnusable(_NOBODY)
        return self._seat.desk


class _Relay:
    """Finds each command on the control plane that sits in the seat when it is given."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def __getattr__(self, name: str) -> Any:
        return getattr(self._seat.plane.commands, name)

    async def register_dag(self, built: BuiltDag) -> Registered:
        """Make a version of a DAG known, unless it could never run here."""
        reason = await asyncio.to_thread(self._seat.refuse_dag, built.spec.dag_id)
        if reason is not None:
            raise DagRefused(reason)
        return await self._seat.plane.commands.register_dag(built)


def _part(trouble: str | None) -> Part:
    return Part("healthy" if trouble is None else "unhealthy", trouble)


def _look(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))
