"""The spans of a question: the members asked, the engines, and the durations; never a word of the texts.

Attributes have OpenTelemetry's names if those exist (http.*, gen_ai.*, error.type), else boardroom.*.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType

from boardroom.api.ask import EngineName
from boardroom.coordinator.response import AdapterIdentity
from boardroom.engine.errors import EngineError
from boardroom.engine.protocol import Generation
from boardroom.telemetry.span import Kind, Span, Value
from boardroom.telemetry.tracing import NO_SPAN, OFF, Tracer

ATTEMPT = "ask member"
BATCH = "ask members"


class Work:
    """A span that ends with its block; one that is cancelled has the error "cancelled"."""

    def __init__(self, tracer: Tracer, name: str, kind: Kind, attributes: Mapping[str, Value | None]) -> None:
        self._started = tracer.started(name, kind)
        self._attributes = attributes

    def __enter__(self) -> Span:
        self._span = self._started.__enter__()
        self._span.note(self._attributes)
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is asyncio.CancelledError:
            self._span.failed("cancelled")
        self._span.end()
        self._started.__exit__(kind, error, trace)


def attempt(
    tracer: Tracer, engine: EngineName, *, agent: str, role: str, server: str | None = None, adapter: str | None = None
) -> AbstractContextManager[Span]:
    """The span of a request to an engine for a member, with the wait until the request may be sent.

    `server` names the LoRAX server and `adapter` is the directory that LoRAX reads; None with another engine.
    """
    if tracer is OFF:
        return OFF.started(ATTEMPT, Kind.CLIENT)
    attributes = {
        "gen_ai.operation.name": "chat",
        "boardroom.agent": agent,
        "boardroom.role": role,
        "boardroom.engine": engine,
        "boardroom.replica": server,
        "boardroom.adapter.path": adapter,
    }
    return Work(tracer, ATTEMPT, Kind.CLIENT, attributes)


def batch(tracer: Tracer, members: int) -> AbstractContextManager[Span]:
    """The span of members that are asked together."""
    if tracer is OFF:
        return OFF.started(BATCH, Kind.INTERNAL)
    return Work(tracer, BATCH, Kind.INTERNAL, {"boardroom.members": members})


def tell(span: Span, result: Generation | EngineError, *, cold_load: bool, adapter: AdapterIdentity | None) -> None:
    """Note the outcome of an attempt, and the adapter that it went through; None for the base model."""
    if span is NO_SPAN:
        return
    if adapter is not None:
        span.note({"boardroom.adapter.digest": adapter.digest})
    if isinstance(result, EngineError):
        span.failed(result.code)
        return
    span.note(
        {
            "gen_ai.usage.input_tokens": result.prompt_tokens,
            "gen_ai.usage.output_tokens": result.completion_tokens,
            "boardroom.queue_ms": result.queue_ms,
            "boardroom.inference_ms": result.inference_ms,
            "boardroom.cold_load": cold_load,
        }
    )
