"""Requests and their progress through router and model server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from boardroom.simulator.errors import LoraxError
from boardroom.simulator.tokenizer.simple import Token

BASE_MODEL: Final = "__base_model__"
"""LoRAX's adapter id for the base model."""

FinishReason = Literal["length", "eos_token", "stop_sequence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The sampling parameters: what decides the text besides prompt and weights."""

    max_new_tokens: int
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    sampled: bool = False
    seed: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    schema: str | None = None
    """The JSON schema, as JSON, that the text must satisfy."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The tokens that the model will emit, with the end token if there is one, and the finish reason."""

    tokens: tuple[Token, ...]
    finish_reason: FinishReason

    def switched_to(self, other: "Answer", share: float) -> "Answer":
        """Return this answer up to a share of its tokens, and the other answer from there."""
        count = min(int(share * len(self.tokens)), len(other.tokens) - 1)
        return Answer(self.tokens[:count] + other.tokens[count:], other.finish_reason)


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """A request in the queue or in a batch. Times are the clock's, None until the event has happened."""

    request_id: str
    adapter_id: str
    adapter_source: str
    api_token: str | None
    prompt: str
    question: str
    """The user's question, if the prompt shows it."""
    prompt_tokens: int
    sampling: Sampling
    queued_at: float
    on_change: Callable[[], None]
    """Called when the answer has ended, and after each token if `wants_tokens`."""
    wants_tokens: bool = False

    started_at: float | None = None
    first_token_at: float | None = None
    answer: Answer | None = None
    emitted: int = 0
    error: LoraxError | None = None
    done: bool = False
    abandoned: bool = False
    """The client has disconnected: the request is dropped at the next step, as in LoRAX."""
    loses_adapter_at: float | None = None
    """The share of the answer after which the base model takes over, as the adapter is being offloaded; 0 is all."""
    gpu_seconds: float = field(default=0.0)

    @property
    def public_adapter_id(self) -> str:
        """The adapter's id as clients send it; "" is the base model."""
        return "" if self.adapter_id == BASE_MODEL else self.adapter_id

    @property
    def reserved_tokens(self) -> int:
        """Tokens whose KV cache is reserved at admission (docs/lorax.md#token-reservation)."""
        return self.prompt_tokens + self.sampling.max_new_tokens - 1

    def emit(self) -> None:
        """Count one more token from a step."""
        self.emitted += 1
        if self.answer is not None and self.emitted >= len(self.answer.tokens):
            self.done = True
            self.on_change()
        elif self.wants_tokens:
            self.on_change()

    def fail(self, error: LoraxError) -> None:
        """End the request with an error."""
        self.error = error
        self.done = True
        self.on_change()
