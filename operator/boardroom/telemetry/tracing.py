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
    """Makes spans."""

    def started(self, name: str, kind: Kind, caller: Trace | None = None) -> AbstractContextManager[Span]:
        """A span that is the current one inside, and goes on after it until `end`. Its parent is the current one, or
        the caller's.
        """

    def close(self) -> None:
        """Send what has not been sent, for a few seconds at most; blocks."""


class _NoSpan:
    def note(self, attributes: Mapping[str, Value | None]) -> None:
        """Nobody hears."""

    def failed(self, code: str) -> None:
        """Nobody hears."""

    def end(self) -> None:
        """Nobody hears."""


NO_SPAN: Final = _NoSpan()
"""Whoever has it need not put together what nobody hears."""


class _Same:
    """Inside is as outside: where no caller's trace is to be entered, one object serves all."""

    def __enter__(self) -> Span:
        return NO_SPAN

    def __exit__(self, *_: object) -> None:
        return


_SAME: Final = _Same()


class NoTracer:
    """No spans; a caller's trace is passed on."""

    def started(self, name: str, kind: Kind, caller: Trace | None = None) -> AbstractContextManager[Span]:  # noqa: ARG002
        return _SAME if caller is None or caller is propagation.NONE else _entered(caller)

    def close(self) -> None:
        """There is nothing to send."""


@contextmanager
def _entered(caller: Trace) -> Iterator[Span]:
    with propagation.within(caller):
        yield NO_SPAN


OFF: Final = NoTracer()


def wanted(env: Mapping[str, str]) -> bool:
    """Whether the environment switches spans on; raises TracingError where it asks for what we can't do."""
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
    """What the environment asks for; `service` is its name unless OTEL_SERVICE_NAME says another."""
    if not wanted(env):
        return OFF
    from boardroom.telemetry.opentelemetry import OpenTelemetry  # noqa: PLC0415 (a tenth of a second and 15 MiB)

    return OpenTelemetry(service, resource)
