"""A collector that takes OTLP over HTTP, and keeps the spans."""

import gzip
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from component.engine.scripted_lorax import Receive, Send

KINDS = {Span.SPAN_KIND_SERVER: "server", Span.SPAN_KIND_CLIENT: "client", Span.SPAN_KIND_INTERNAL: "internal"}
ERROR = 2


@dataclass(frozen=True)
class Seen:
    """One span as it came."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    failed: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Collector:
    """An ASGI application."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        raw = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        assert scope["path"] == "/v1/traces"
        self.headers.append(headers)
        self.bodies.append(raw)
        self._keep(ExportTraceServiceRequest.FromString(raw))
        reply = ExportTraceServiceResponse().SerializeToString()
        content = [(b"content-type", b"application/x-protobuf")]
        await send({"type": "http.response.start", "status": 200, "headers": content})
        await send({"type": "http.response.body", "body": reply})

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans if span.name == name]

    def _keep(self, request: ExportTraceServiceRequest) -> None:
        for group in request.resource_spans:
            resource = values(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [seen(span, resource) for span in scope.spans]


def seen(span: Span, resource: dict[str, Any]) -> Seen:
    return Seen(
        name=span.name,
        kind=KINDS[span.kind],
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        state=span.trace_state,
        failed=span.status.code == ERROR,
        attributes=values(span.attributes),
        resource=resource,
    )


def values(pairs: Any) -> dict[str, Any]:
    return {pair.key: value(pair) for pair in pairs}


def value(pair: KeyValue) -> Any:
    found: AnyValue = pair.value
    return getattr(found, found.WhichOneof("value") or "string_value")
