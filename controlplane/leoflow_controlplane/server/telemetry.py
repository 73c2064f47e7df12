"""What a server tells of itself while it runs: metrics, and traces if somebody collects them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version as version_of

from leoflow_controlplane.metrics import Metrics
from leoflow_controlplane.storedsecrets import Store
from leoflow_controlplane.tracing import Tracing, open_sink


@dataclass(frozen=True)
class Telemetry:
    """One for each server, whoever leads."""

    metrics: Metrics
    tracing: Tracing | None


@asynccontextmanager
async def open_telemetry(store: Store, environment: Mapping[str, str]) -> AsyncIterator[Telemetry]:
    """Send traces in the context, as OTEL_* of ``environment`` say; SettingInvalid if that needs
    what is not installed."""
    metrics, sink = Metrics(version_of("leoflow")), open_sink(environment)
    if sink is None:
        yield Telemetry(metrics, None)
        return
    tracing = Tracing(store, sink)
    sending = asyncio.create_task(tracing.run())
    try:
        yield Telemetry(metrics, tracing)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await tracing.close()
