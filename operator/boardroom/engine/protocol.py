"""The protocol between the coordinator and an engine; LoRAX's peculiarities stay behind it."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from boardroom.engine.metrics import EngineMetrics

FinishReason = Literal["length", "stop", "content_filter"]
"""`content_filter`: a filter of the server has cut the text."""


@dataclass(frozen=True, slots=True)
class PastTurn:
    """An earlier question and its answer: a pair, because many chat templates refuse turns that do not alternate."""

    question: str
    answer: str


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt for one adapter. `temperature` 0 is greedy; `adapter_id` None is the base model."""

    request_id: str
    system: str
    prompt: str
    adapter_id: str | None
    max_new_tokens: int
    temperature: float = 0.0
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    history: tuple[PastTurn, ...] = ()
    response_format: Mapping[str, Any] | None = None
    """A JSON schema that the answer must satisfy. An answer that `max_new_tokens` cuts may not be JSON at all."""


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """An engine's answer; its text may be empty.

    The times (milliseconds) are the engine's own, None if it sends none: `queue_ms` until the first forward pass,
    including any adapter load, `inference_ms` of the forward passes, `total_ms` of the whole request.
    """

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    queue_ms: float | None = None
    inference_ms: float | None = None
    total_ms: float | None = None
    dropped_params: tuple[str, ...] = ()
    """Parameters of the request that were not sent, because the engine's model does not support them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamTimeouts:
    """Time limits of a stream's stages, in seconds.

    LoRAX sends a keep-alive every 15 s, also while an adapter loads: `between_bytes` detects a dead connection, and
    only `whole` ends an answer that never comes. For engines without keep-alives only `connect` and `whole` apply.
    """

    whole: float
    connect: float = 3.0
    first_byte: float = 30.0
    between_bytes: float = 30.0


class Inference(Protocol):
    """Any inference server. Every method raises only EngineError; time limits are in seconds."""

    @property
    def url(self) -> str:
        """The base URL, for messages."""

    @staticmethod
    def schema(schema: Mapping[str, Any], /) -> Mapping[str, Any]:
        """Return a JSON schema in the form that this kind of engine supports; raises SchemaRefused. Sends nothing.

        `generate` and `stream` convert the schema of a request themselves.
        """

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        """Return one whole answer. Cancelling disconnects from the engine, which may abort it
        (docs/lorax.md#disconnect-abort).
        """

    def stream(self, request: GenerationRequest, timeouts: StreamTimeouts) -> AsyncGenerator[str | Generation, None]:
        """Yield the pieces of an answer's text as they arrive, and finally the whole Generation.

        Wrap it in contextlib.aclosing: leaving early disconnects from the engine (docs/lorax.md#disconnect-abort).
        """

    async def close(self) -> None:
        """Close every connection."""


class Engine(Inference, Protocol):
    """An inference server of the board, whose health is watched."""

    on_hangup: Callable[[], None]
    """Called when the server closes an idle connection, as it does when it ends.

    The health check sets it, because that is made after the engine.
    """

    async def health(self, timeout: float) -> None:
        """Return if the engine serves; raises otherwise."""

    async def metrics(self, timeout: float) -> EngineMetrics:
        """Return the engine's own counters; every request that has been answered is counted."""

    async def metrics_page(self, timeout: float) -> bytes:
        """Return the page of these counters, as the engine writes it for Prometheus."""
