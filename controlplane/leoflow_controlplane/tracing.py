"""Send the trace of each run that ended to an OpenTelemetry collector, if one is configured.

Nothing of it is on the way of a report: spans are made of the stored instants, after the end.
OpenTelemetry is an extra of the package and is loaded only when it is asked for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

from leoflow_controlplane.error import ControlPlaneError, SettingInvalid
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.spantree import Span, make_spans
from leoflow_controlplane.store.trace import load_traced_run
from leoflow_controlplane.storedsecrets import Store

# What waits for a collector that is slow; more is dropped, and said.
MAX_WAITING = 10_000
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

logger = logging.getLogger("leoflow.tracing")


class SpanSink(Protocol):
    """Takes spans, in a thread that may wait."""

    def send(self, spans: Iterable[Span]) -> bool:
        """Deliver spans; False if they are lost."""

    def close(self) -> None:
        """Let go of everything."""


class Tracing:
    """Takes the keys of runs that ended, and sends their spans one run after the other."""

    def __init__(self, store: Store, sink: SpanSink) -> None:
        self._store = store
        self._sink = sink
        self._waiting: asyncio.Queue[RunKey] = asyncio.Queue(MAX_WAITING)

    def run_ended(self, key: RunKey) -> None:
        """Have the trace of a run sent. Returns at once."""
        try:
            self._waiting.put_nowait(key)
        except asyncio.QueueFull:
            logger.warning("the trace of %s %s is dropped: %s wait already", *key, MAX_WAITING)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            key = await self._waiting.get()
            try:
                run = await self._store.read(load_traced_run, key)
                if not await asyncio.to_thread(self._sink.send, make_spans(run)):
                    logger.warning("the trace of %s %s did not reach the collector", *key)
            except ControlPlaneError as error:
                logger.warning("there is no trace of %s %s: %s", *key, error)
            except Exception:
                # What an exporter raises is of one run; those that follow are sent.
                logger.warning("the trace of %s %s is lost", *key, exc_info=True)

    async def close(self) -> None:
        """Let go of the collector; to be called when `run` has ended."""
        await asyncio.to_thread(self._sink.close)


def open_sink(environment: Mapping[str, str]) -> SpanSink | None:
    """Make what reaches the collector that the OTEL_* variables name; None if they name none.

    SettingInvalid if OpenTelemetry is not installed.
    """
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return None
    if exporter != "otlp" and not any(environment.get(name) for name in _ENDPOINTS):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise SettingInvalid(
            "OTEL_… asks for traces, and OpenTelemetry is not installed. Install it with: "
            "pip install 'leoflow[tracing]', or set OTEL_SDK_DISABLED=true."
        ) from None
    from leoflow_controlplane.otlp import OtlpSink

    return OtlpSink(OTLPSpanExporter(), environment)
