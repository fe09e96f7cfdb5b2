"""What the coordinator asks of an engine; everything that is peculiar to LoRAX stays behind it."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from boardroom.engine.metrics import EngineMetrics

FinishReason = Literal["length", "stop", "content_filter"]
"""content_filter: a filter of the server has cut it."""


@dataclass(frozen=True, slots=True)
class PastTurn:
    """One earlier question and its answer. A pair, because many chat templates refuse turns that do not alternate."""

    question: str
    answer: str


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt through one adapter. `temperature` 0 is greedy; `adapter_id` None is the base model."""

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
    """A JSON schema that the answer must satisfy; what it is cut to by `max_new_tokens` may satisfy none."""


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. `queue_ms` is the time before the forward pass, with any adapter load in it, if the engine says;
    `inference_ms` that of the forward passes, and `total_ms` is the engine's own figure for the whole request. The text
    may be empty.
    """

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    queue_ms: float | None = None
    inference_ms: float | None = None
    total_ms: float | None = None
    dropped_params: tuple[str, ...] = ()
    """What of the request's sampling the engine's model does not take, and was left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamTimeouts:
    """Seconds for each stage of a stream. LoRAX sends a sign of life every 15 s, also while an adapter loads, so that
    `between_bytes` tells a dead connection from a slow answer, and only `whole` ends an answer that never comes. Of
    engines that send none only `connect` and `whole` are heeded.
    """

    whole: float
    connect: float = 3.0
    first_byte: float = 30.0
    between_bytes: float = 30.0


class Inference(Protocol):
    """Whatever answers prompts. Every method raises only EngineError, and takes its time limit in seconds."""

    @property
    def url(self) -> str:
        """Where it is, for messages."""

    @staticmethod
    def schema(schema: Mapping[str, Any], /) -> Mapping[str, Any]:
        """A JSON schema as this kind of engine may be sent it; raises SchemaRefused without asking anybody. What is
        sent goes through it in any case.
        """

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        """One whole answer. Cancelling disconnects from the engine: mind LORAX.md, trap 5."""

    def stream(self, request: GenerationRequest, timeouts: StreamTimeouts) -> AsyncGenerator[str | Generation, None]:
        """The pieces of an answer's text as they come, and at last the whole Generation.

        Wrap it in contextlib.aclosing: who leaves early disconnects from the engine, and must mind LORAX.md, trap 5.
        """

    async def close(self) -> None:
        """Close every connection."""


class Engine(Inference, Protocol):
    """An inference server of our own, whose health is watched."""

    on_hangup: Callable[[], None]
    """Set by who watches: called when the server closes a connection that nobody used, as it does when it ends."""

    async def health(self, timeout: float) -> None:
        """Return if the engine serves."""

    async def metrics(self, timeout: float) -> EngineMetrics:
        """The engine's own counters since its start: a request that has been answered is counted."""

    async def metrics_page(self, timeout: float) -> bytes:
        """The page that they come from, as the engine wrote it for Prometheus."""
