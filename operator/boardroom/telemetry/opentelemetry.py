"""Spans by OpenTelemetry's SDK, sent as OTLP over HTTP from a thread of its own. Imported only where tracing is on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from boardroom import __version__
from boardroom.telemetry import propagation
from boardroom.telemetry.propagation import Trace
from boardroom.telemetry.span import Kind, Value
from boardroom.telemetry.span import Span as OurSpan

_CLOSE_SECONDS: Final = 3.0
_FORMAT: Final = TraceContextTextMapPropagator()


class _Span:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, attributes: Mapping[str, Value | None]) -> None:
        self._span.set_attributes({name: value for name, value in attributes.items() if value is not None})

    def failed(self, code: str) -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(Status(StatusCode.ERROR, code))

    def end(self) -> None:
        if self._span.is_recording():
            self._span.end()


class OpenTelemetry:
    """A Tracer. The SDK reads sampling, limits, headers and addresses from OTEL_* (docs/how-to/observability.md)."""

    def __init__(self, service: str, resource: Mapping[str, str]) -> None:
        ours = Resource.create({"service.name": service, "service.version": __version__, **resource})
        self._provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("boardroom", __version__)

    @contextmanager
    def started(self, name: str, kind: Kind, caller: Trace | None = None) -> Iterator[OurSpan]:
        above = propagation.current() if caller is None else caller
        context = _FORMAT.extract(above.headers, Context())
        span = self._tracer.start_span(name, context, SpanKind[kind])
        with propagation.within(_place(span)):
            yield _Span(span)

    def close(self) -> None:
        # The SDK goes on for as long as a collector that is down may come back, so its end is not waited for.
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_CLOSE_SECONDS)


def _place(span: trace.Span) -> Trace:
    headers: dict[str, str] = {}
    _FORMAT.inject(headers, trace.set_span_in_context(span, Context()))
    return Trace(headers.get(propagation.TRACEPARENT, ""), headers.get(propagation.TRACESTATE, ""))
