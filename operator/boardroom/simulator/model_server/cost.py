"""What the GPU would have taken: a cost model over a profile of profiles.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Self

DEFAULT_PROFILE: Final = "a100-80gb-7b"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Seconds of a step, of a download and of a load; figures in milliseconds, GB/s and GB, as in profiles.toml."""

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
    """A schema's compilation for each state of its machine, on the CPU, and how it grows with their number: the library
    took 5, 15, 55 and 584 s for 122, 602, 2,402 and 12,082 states over a vocabulary of 32,000 (LORAX.md, 12).
    """

    @classmethod
    def named(cls, profile: str) -> Self:
        """The profile of that name; raises KeyError."""
        return cls(**profiles()[profile])

    def prefill_seconds(self, tokens: int, adapters: int) -> float:
        """One prefill of so many prompt tokens in all."""
        return (self.step + self.prefill * tokens + (self.lora if adapters else 0.0)) / 1000

    def decode_seconds(self, sequences: int, context_tokens: int, adapters: int) -> float:
        """One decode step of a batch that attends to so many tokens in all."""
        lora = self.lora + self.adapter * adapters if adapters else 0.0
        return (self.step + self.sequence * sequences + self.context * context_tokens + lora) / 1000

    def schema_seconds(self, states: int) -> float:
        """Compiling a schema, while everything else waits."""
        return (self.schema * states + self.schema_growth * states**2) / 1000

    def download_seconds(self, size_bytes: int) -> float:
        """Fetching and checking an adapter."""
        return self.download / 1000 + size_bytes / (self.download_gb_s * 1e9)

    def load_seconds(self, size_bytes: int) -> float:
        """Copying an adapter to the GPU."""
        return self.load / 1000 + size_bytes / (self.load_gb_s * 1e9)


@cache
def profiles() -> Mapping[str, Mapping[str, Any]]:
    """Every profile by name."""
    text = resources.files(__package__).joinpath("profiles.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
