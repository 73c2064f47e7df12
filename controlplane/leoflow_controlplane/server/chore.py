"""What the process that leads does beside scheduling: delivers webhooks, deletes what is old, hands
on what is to be traced. Ends with its reign.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from leoflow_controlplane.audience import Audience
from leoflow_controlplane.book.book import Progress
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.outbound.client import make_transport
from leoflow_controlplane.retention import Keep, Sweeper
from leoflow_controlplane.scheduler import wall_clock
from leoflow_controlplane.secretsource import SecretSource
from leoflow_controlplane.server.telemetry import Telemetry
from leoflow_controlplane.serversetting import ServerSettings
from leoflow_controlplane.storedsecrets import Store
from leoflow_controlplane.webhook import read_secret
from leoflow_controlplane.webhooksender import AT_ONCE, WebhookSender

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
        self._transport = make_transport(limits.inline_allowed_hosts, AT_ONCE, AT_ONCE)
        self._sender = WebhookSender(
            store,
            secrets,
            self._transport,
            wall_clock,
            read_secret(settings.webhook_secret or ""),
            telemetry.metrics,
        )
        self.audience = Audience(telemetry.metrics, self._follow, self._tracing is not None)

    @asynccontextmanager
    async def going_on(self, plane: ControlPlane) -> AsyncIterator[None]:
        """Do them in the context."""
        sweeper = Sweeper(self._keep, plane.holds, wall_clock)
        tasks = [_begin(self._sender.run()), _begin(sweeper.run(plane.database))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._transport.aclose()

    def _follow(self, progress: Progress) -> None:
        if progress.has_webhooks:
            self._sender.wake()
        if self._tracing is not None:
            for key in progress.done:
                self._tracing.run_ended(key)


def _begin(chore: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(chore)
    task.add_done_callback(_look_at_end)
    return task


def _look_at_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        # Runs go on without it; the next reign begins it anew.
        logger.error("a chore ended, and is not done any more", exc_info=task.exception())
