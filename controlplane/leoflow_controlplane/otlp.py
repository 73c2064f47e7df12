"""Spans in the form of OpenTelemetry's SDK. The only module that imports it; `tracing` loads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from leoflow_controlplane.spantree import Span

BATCH = 512


class OtlpSink:
    """Gives spans to an exporter. Sampler and resource are as the OTEL_* variables say."""

    def __init__(self, exporter: SpanExporter, environment: Mapping[str, str]) -> None:
        named = environment.get("OTEL_SERVICE_NAME")
        resource = Resource.create({} if named else {SERVICE_NAME: "leoflow"})
        self._exporter = exporter
        self._ids = _GivenIds()
        self._ended = _Ended()
        provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        provider.add_span_processor(self._ended)
        self._tracer = provider.get_tracer("leoflow")

    def send(self, spans: Iterable[Span]) -> bool:
        """Deliver the spans of one trace, the root first; False if some of them are lost."""
        delivered = True
        for span in spans:
            if not self._record(span):
                # The sampler has decided, for the root and so for all of them.
                break
            if len(self._ended.spans) >= BATCH:
                delivered = self._flush() and delivered
        return self._flush() and delivered

    def close(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def _record(self, span: Span) -> bool:
        self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.span_id, 16)
        context = None
        if span.parent_id is not None:
            flags = TraceFlags(TraceFlags.SAMPLED)
            parent = SpanContext(
                self._ids.trace_id, int(span.parent_id, 16), is_remote=True, trace_flags=flags
            )
            context = set_span_in_context(NonRecordingSpan(parent))
        made = self._tracer.start_span(
            span.name,
            context=context,
            kind=SpanKind.INTERNAL,
            attributes=span.attributes,
            start_time=_nanoseconds(span.start),
        )
        for name, at in span.events:
            made.add_event(name, timestamp=_nanoseconds(at))
        if span.trouble is not None:
            made.set_status(Status(StatusCode.ERROR, span.trouble))
        made.end(_nanoseconds(span.end))
        return made.get_span_context().trace_flags.sampled

    def _flush(self) -> bool:
        ended, self._ended.spans = self._ended.spans, []
        return not ended or self._exporter.export(ended) is SpanExportResult.SUCCESS


class _GivenIds(IdGenerator):
    """Gives the ids that were put into it."""

    trace_id = span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Ended(SpanProcessor):
    """Keeps what ended until it is taken."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def _nanoseconds(instant: float) -> int:
    return int(instant * 1e9)
