"""Keeps a control plane in the seat: waits until this process may lead, leads, and begins anew when
it may not any more, or cannot.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable

from leoflow_controlplane.controlplane import ControlPlane, Role
from leoflow_controlplane.database import Database
from leoflow_controlplane.database.leadership import Leader
from leoflow_controlplane.error import (
    DatabaseUnusable,
    ExecutorUnusable,
    NotLeading,
    SchedulerFailed,
)
from leoflow_controlplane.executor.protocol import ExecutorFactory
from leoflow_controlplane.scheduler import Scheduler, wall_clock
from leoflow_controlplane.secretsource import EnvironmentSecrets, SecretChain
from leoflow_controlplane.server.chore import Chores
from leoflow_controlplane.server.seat import Seat
from leoflow_controlplane.server.telemetry import Telemetry
from leoflow_controlplane.serversetting import ServerSettings
from leoflow_controlplane.storedsecrets import StoredSecrets
from leoflow_controlplane.trytoken import derive_keys
from leoflow_controlplane.vault import SecretUnreadable, open_vault

_FIRST_PAUSE_SECONDS, _LAST_PAUSE_SECONDS = 0.5, 5.0
# Who led for so long begins again with the first pause.
_LONG_REIGN_SECONDS = 60.0

logger = logging.getLogger("leoflow.server")


class Reign:
    """One control plane after the other. ``task`` ends with what ended the last one."""

    def __init__(
        self,
        settings: ServerSettings,
        seat: Seat,
        factory: ExecutorFactory,
        telemetry: Telemetry,
    ) -> None:
        vault = open_vault(settings.home, settings.environment)
        self.secrets = seat.secrets = StoredSecrets(seat, vault, wall_clock)
        self._settings = settings
        self._seat = seat
        self._factory = factory
        self._telemetry = telemetry
        self._opened = asyncio.Event()
        self._greet = asyncio.Event()
        self._lost = asyncio.Event()
        # What fails before this process has either led or found a peer is an operator's mistake.
        self._is_settled = False
        self._greetings: list[Callable[[Seat], Awaitable[None]]] = []
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    async def open(self) -> None:
        """Begin, and return when the database is open; raises what that failed with."""
        self.task = asyncio.create_task(self._reign())
        opened = asyncio.create_task(self._opened.wait())
        try:
            await asyncio.wait({self.task, opened}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            opened.cancel()
        if self.task.done():
            self.task.result()

    async def close(self) -> None:
        """End the control plane; what runs in containers goes on."""
        self.task.cancel()
        # What it ended with, if it has ended, was raised where it was waited for.
        await asyncio.gather(self.task, return_exceptions=True)

    def once_leading(self, greeting: Callable[[Seat], Awaitable[None]]) -> None:
        """Run ``greeting`` as soon as this process leads, at once if it does."""
        self._greetings.append(greeting)
        self._greet.set()

    async def _reign(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                await self._lead_once()
                pause = _FIRST_PAUSE_SECONDS
                continue
            except (DatabaseUnusable, ExecutorUnusable) as error:
                if not self._is_settled:
                    raise
                logger.error("cannot lead yet: %s", error)
            except SchedulerFailed as error:
                # Replicas wait for the lead and have it before the pause is over.
                logger.error("gave up the lead: %s", error)
                if time.monotonic() - began > _LONG_REIGN_SECONDS:
                    pause = _FIRST_PAUSE_SECONDS
            except NotLeading:
                logger.warning("lost the lead while taking it, and waits to lead again")
                continue
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE_SECONDS)

    async def _lead_once(self) -> None:
        secrets = SecretChain(EnvironmentSecrets(os.environ), self.secrets)
        chores = Chores(self._settings, self._seat, secrets, self._telemetry)
        role = Role(
            is_server=True,
            url=self._settings.database_url,
            realm=self._settings.realm,
            opened=self._wait_to_lead,
            token_keys=derive_keys(self._settings.environment),
            audience=chores.audience,
        )
        limits, home = self._settings.limits, self._settings.home
        plane = ControlPlane(home, self._factory, limits, secrets, role=role)
        try:
            await self._sit(plane, chores)
        finally:
            self._telemetry.metrics.leads(False)
        logger.warning("this process does not lead any more, and waits to lead again")

    async def _sit(self, plane: ControlPlane, chores: Chores) -> None:
        async with plane:
            for name in plane.swept:
                logger.info("removed what a process that is gone had left behind: %s", name)
            self._seat.take(plane)
            self._is_settled = True
            self._telemetry.metrics.leads(True)
            logger.info("this process leads")
            try:
                async with chores.going_on(plane):
                    await self._be_there(plane.desk)
            finally:
                self._seat.leave()

    async def _wait_to_lead(self, database: Database) -> None:
        self._seat.database = database
        self._is_settled = self._is_settled or await self._seat.find_leader() is not None
        self._opened.set()
        self._lost = await database.lead(Leader(self._name, self._seat.url, wall_clock()))
        await self.secrets.load()
        try:
            if count := await self.secrets.rotate():
                logger.info("encrypted %d stored values anew, with the first key", count)
        except SecretUnreadable:
            # load() has logged each of them; all others can be used.
            logger.error("nothing is encrypted anew, since not everything could be read")

    async def _be_there(self, scheduler: Scheduler) -> None:
        """Greet who asked for it, until this process may not lead any more; SchedulerFailed if
        it cannot."""
        lost = asyncio.create_task(self._lost.wait())
        failed = asyncio.create_task(scheduler.failed.wait())
        try:
            while not (lost.done() or failed.done()):
                while self._greetings:
                    await self._greetings[0](self._seat)
                    del self._greetings[0]
                self._greet.clear()
                asked = asyncio.create_task(self._greet.wait())
                await asyncio.wait({lost, failed, asked}, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
        finally:
            lost.cancel()
            failed.cancel()
        if scheduler.failure is not None:
            raise SchedulerFailed(f"the scheduler failed: {scheduler.failure}")
