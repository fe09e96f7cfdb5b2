"""One request on its way through the engine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from boardroom.simulator.errors import LoraxError
from boardroom.simulator.tokenizer.simple import Token

BASE_MODEL: Final = "__base_model__"
"""The base model's place among the adapters, by the id that LoRAX gives it."""

FinishReason = Literal["length", "eos_token", "stop_sequence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What decides the text besides prompt and weights."""

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
    """JSON schema, as JSON, of the only text that may come out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The tokens that the model will emit, and how it will end; the end token, if any, is among the tokens."""

    tokens: tuple[Token, ...]
    finish_reason: FinishReason

    def switched_to(self, other: "Answer", share: float) -> "Answer":
        """Its first words, so big a share of them, and from there on the other's."""
        words = min(int(share * len(self.tokens)), len(other.tokens) - 1)
        return Answer(self.tokens[:words] + other.tokens[words:], other.finish_reason)


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """A request in the queue or in a batch. Times are the clock's; None until the moment has come."""

    request_id: str
    adapter_id: str
    adapter_source: str
    api_token: str | None
    prompt: str
    question: str
    """What the user asked, as far as it can be told from the rest of the prompt."""
    prompt_tokens: int
    sampling: Sampling
    queued_at: float
    on_change: Callable[[], None]
    """Called when the answer ended, and after each token if wants_tokens."""
    wants_tokens: bool = False

    started_at: float | None = None
    first_token_at: float | None = None
    answer: Answer | None = None
    emitted: int = 0
    error: LoraxError | None = None
    done: bool = False
    abandoned: bool = False
    """The client has gone: dropped at the next step, as LoRAX does when nobody receives any more."""
    loses_adapter_at: float | None = None
    """The share of its answer from which on the base model speaks, as its adapter is on its way out; 0 is all of it."""
    gpu_seconds: float = field(default=0.0)

    @property
    def public_adapter_id(self) -> str:
        """The adapter's id as users know it; "" is the base model."""
        return "" if self.adapter_id == BASE_MODEL else self.adapter_id

    @property
    def reserved_tokens(self) -> int:
        """Tokens whose keys and values are reserved at admission."""
        return self.prompt_tokens + self.sampling.max_new_tokens - 1

    def emit(self) -> None:
        """One more token has come out of a step."""
        self.emitted += 1
        if self.answer is not None and self.emitted >= len(self.answer.tokens):
            self.done = True
            self.on_change()
        elif self.wants_tokens:
            self.on_change()

    def fail(self, error: LoraxError) -> None:
        """The request ends with an error."""
        self.error = error
        self.done = True
        self.on_change()
