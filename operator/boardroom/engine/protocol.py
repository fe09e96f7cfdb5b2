"""What the coordinator asks of an engine; everything that is peculiar to LoRAX stays behind it."""

from dataclasses import dataclass
from typing import Literal, Protocol

from boardroom.engine.metrics import EngineMetrics

FinishReason = Literal["length", "stop"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """What came back. `queue_ms` is the time before the forward pass, with any adapter load in it, if the engine says;
    `total_ms` is the engine's own figure for the whole request. The text may be empty.
    """

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    queue_ms: float | None = None
    total_ms: float | None = None


class Engine(Protocol):
    """An inference server. Every method raises only EngineError, and takes its time limit in seconds."""

    @property
    def url(self) -> str:
        """Where it is, for messages."""

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        """One whole answer. Cancelling disconnects from the engine: mind LORAX.md, trap 5."""

    async def health(self, timeout: float) -> None:
        """Return if the engine serves."""

    async def metrics(self, timeout: float) -> EngineMetrics:
        """The engine's own counters since its start."""

    async def close(self) -> None:
        """Close every connection."""
