"""Spans. Off, which is the default, they cost a method call; on, they are OpenTelemetry's, set up by its own variables.

On means that a place to send them to is named: OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, and
neither OTEL_SDK_DISABLED=true nor OTEL_TRACES_EXPORTER=none. OpenTelemetry is imported only then.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

from boardroom.telemetry import propagation
from boardroom.telemetry.propagation import Trace
from boardroom.telemetry.span import Kind, Span, TracingError, Value

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
EXPORTER: Final = "OTEL_TRACES_EXPORTER"
DISABLED: Final = "OTEL_SDK_DISABLED"
PROTOCOL: Final = "http/protobuf"


class Tracer(Protocol):
    """A factory of spans."""

    def started(self, name: str, kind: Kind, caller: Trace | None = None) -> AbstractContextManager[Span]:
        """Return a context manager: the new span is the current span inside, and lasts beyond it until `end`.

        The new span's parent is the current span, or the caller's span.
        """

    def close(self) -> None:
        """Send unsent spans, for a few seconds at most; blocks."""


class _NoSpan:
    def note(self, attributes: Mapping[str, Value | None]) -> None:
        """Do nothing."""

    def failed(self, code: str) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


NO_SPAN: Final = _NoSpan()
"""A span that records nothing. Callers may test for it, and then need not compute attributes."""


class _Same:
    """A context manager without effect, for tracers that enter no caller's trace. All uses share one instance."""

    def __enter__(self) -> Span:
        return NO_SPAN

    def __exit__(self, *_: object) -> None:
        return


_SAME: Final = _Same()


class NoTracer:
    """A tracer without spans. The caller's trace is passed on."""

    def started(self, name: str, kind: Kind, caller: Trace | None = None) -> AbstractContextManager[Span]:  # noqa: ARG002
        return _SAME if caller is None or caller is propagation.NONE else _entered(caller)

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def _entered(caller: Trace) -> Iterator[Span]:
    with propagation.within(caller):
        yield NO_SPAN


OFF: Final = NoTracer()


def wanted(env: Mapping[str, str]) -> bool:
    """Whether the environment switches spans on; raises TracingError if it requests an unsupported feature."""
    if env.get(DISABLED, "").strip().lower() == "true":
        return False
    exporter = env.get(EXPORTER, "").strip()
    if exporter not in ("", "otlp", "none"):
        raise TracingError(f"{EXPORTER}={exporter!r}: give otlp or none")
    if exporter == "none" or not any(env.get(name, "").strip() for name in ENDPOINTS):
        return False
    for name in PROTOCOLS:
        if env.get(name, PROTOCOL).strip() not in ("", PROTOCOL):
            raise TracingError(f"{name}={env[name]!r}: only {PROTOCOL} is spoken (port 4318 of most collectors)")
    return True


def tracer(env: Mapping[str, str], service: str, resource: Mapping[str, str]) -> Tracer:
    """Return the tracer that `env` configures; OFF if none. OTEL_SERVICE_NAME overrides `service`."""
    if not wanted(env):
        return OFF
    from boardroom.telemetry.opentelemetry import OpenTelemetry  # noqa: PLC0415 (a tenth of a second and 15 MiB)

    return OpenTelemetry(service, resource)
