"""The time that a GPU would take: a cost model with the figures of profiles.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Self

DEFAULT_PROFILE: Final = "a100-80gb-7b"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Computes seconds of steps, downloads and loads, from milliseconds, GB/s and GB as in profiles.toml."""

    description: str
    step: float
    sequence: float
    context: float
    lora: float
    adapter: float
    prefill: float
    download: float
    download_gb_s: float
    load: float
    load_gb_s: float
    gpu_memory_gb: float
    kv_tokens: int
    schema: float = 23.0
    schema_growth: float = 0.0021
    """Milliseconds of a schema's compilation for each state of its machine, and their growth with the states.

    Measured: 5, 15, 55 and 584 s for 122, 602, 2,402 and 12,082 states over a vocabulary of 32,000
    (docs/lorax.md#schema-compilation).
    """

    @classmethod
    def named(cls, profile: str) -> Self:
        """Return the profile of that name; raises KeyError."""
        return cls(**profiles()[profile])

    def prefill_seconds(self, tokens: int, adapters: int) -> float:
        """Return the time of a prefill of so many prompt tokens in total."""
        return (self.step + self.prefill * tokens + (self.lora if adapters else 0.0)) / 1000

    def decode_seconds(self, sequences: int, context_tokens: int, adapters: int) -> float:
        """Return the time of a decode step of a batch that attends to so many tokens in total."""
        lora = self.lora + self.adapter * adapters if adapters else 0.0
        return (self.step + self.sequence * sequences + self.context * context_tokens + lora) / 1000

    def schema_seconds(self, states: int) -> float:
        """Return the time of compiling a schema, while everything else waits."""
        return (self.schema * states + self.schema_growth * states**2) / 1000

    def download_seconds(self, size_bytes: int) -> float:
        """Return the time of downloading and checking an adapter."""
        return self.download / 1000 + size_bytes / (self.download_gb_s * 1e9)

    def load_seconds(self, size_bytes: int) -> float:
        """Return the time of copying an adapter to the GPU."""
        return self.load / 1000 + size_bytes / (self.load_gb_s * 1e9)


@cache
def profiles() -> Mapping[str, Mapping[str, Any]]:
    """Return every profile by name."""
    text = resources.files(__package__).joinpath("profiles.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
