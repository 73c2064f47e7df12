"""What the process that leads does beside scheduling: delivers webhooks, deletes what is old, hands
on what is to be traced. Ends with its reign.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from leoflow_controlplane.audience import Audience
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.retention import Keep, Sweeper
from leoflow_controlplane.scheduler import wall_clock
from leoflow_controlplane.secretsource import SecretSource
from leoflow_controlplane.server.telemetry import Telemetry
from leoflow_controlplane.serversetting import ServerSettings
from leoflow_controlplane.storedsecrets import Store
from leoflow_controlplane.webhook import read_secret

if TYPE_CHECKING:
    from leoflow_controlplane.webhooksender import WebhookSender

# What is deleted by hand is seen to at once.
PRUNE_SECONDS = 3600.0

logger = logging.getLogger("leoflow.server")


class Chores:
    """Those of one reign. ``audience`` is the control plane's to tell."""

    def __init__(
        self, settings: ServerSettings, store: Store, secrets: SecretSource, telemetry: Telemetry
    ) -> None:
        limits = settings.limits
        self._keep = Keep(
            limits.retention_days_runs, limits.retention_days_logs, limits.retention_days_xcoms
        )
        self._tracing = telemetry.tracing
        self._metrics = telemetry.metrics
        self._store = store
        self._secrets = secrets
        self._allowed_hosts = limits.inline_allowed_hosts
        self._webhook_secret = read_secret(settings.webhook_secret or "")
        self._sender: WebhookSender | None = None
        self.audience = Audience(telemetry.metrics, self._follow, self._tracing is not None)

    @asynccontextmanager
    async def going_on(self, plane: ControlPlane) -> AsyncIterator[None]:
        """Do them in the context."""
        sweeper = Sweeper(self._keep, plane.needs, wall_clock)
        tasks = [
            _begin(self._deliver()),
            _begin(sweeper.run(plane.database)),
            _begin(_prune(plane)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self) -> None:
        """Deliver webhooks. What sends them is imported while others are answered already; it
        begins with all rows that there are, so that nothing written meanwhile is missed."""
        sending = await asyncio.to_thread(import_module, "leoflow_controlplane.webhooksender")
        client = await asyncio.to_thread(import_module, "leoflow_controlplane.outbound.client")
        transport = client.make_transport(self._allowed_hosts, sending.AT_ONCE, sending.AT_ONCE)
        self._sender = sending.WebhookSender(
            self._store, self._secrets, transport, wall_clock, self._webhook_secret, self._metrics
        )
        try:
            await self._sender.run()
        finally:
            await transport.aclose()

    def _follow(self, progress: Progress) -> None:
        if progress.has_webhooks and self._sender is not None:
            self._sender.wake()
        if self._tracing is not None:
            for key in progress.done:
                self._tracing.run_ended(key)


async def _prune(plane: ControlPlane) -> None:
    """Have removed what was kept of runs that are no more, whatever has deleted them."""
    while True:
        try:
            await plane.commands.prune()
        except DatabaseUnusable as error:
            logger.warning("what was kept of deleted runs stays a while longer: %s", error)
        await asyncio.sleep(PRUNE_SECONDS)


def _begin(chore: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(chore)
    task.add_done_callback(_look_at_end)
    return task


def _look_at_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        # Runs go on without it; the next reign begins it anew.
        logger.error("a chore ended, and is not done any more", exc_info=task.exception())
