"""The settings of a simulated server: LoRAX's launcher flags that matter here, and the simulator's own."""

import operator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self

from boardroom.simulator.faults import Fault
from boardroom.simulator.model_server.cost import DEFAULT_PROFILE, CostModel, profiles
from boardroom.simulator.tokenizer.file import TokenizerError, check_tokenizer

MAX_POSITIONS: Final = 4096
"""LoRAX's upper bound on the context length of the model's config, if no limit is given."""

STALE_READY_PROBABILITY: Final = 3 / 483
"""Measured: 3 of 483 requests to a real router (docs/lorax.md#stale-adapter-race)."""

_PREFILL_MARGIN: Final = 50

LoraxVersion = Literal["v0.12.1", "main"]
ChatTemplate = Literal["merge-system", "refuse-system", "none"]


class SettingsError(ValueError):
    """Settings that contradict each other; the message is LoRAX's, if it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """The launcher's flags of the same names, with the derived values."""

    max_batch_prefill_tokens: int
    max_batch_total_tokens: int
    waiting_served_ratio: float
    max_waiting_tokens: int
    eager_prefill: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Defaults are those of LoRAX's launcher; None where the launcher derives the value."""

    model_id: str = "mistralai/Mistral-7B-Instruct-v0.1"
    adapter_source: str = "hub"
    dtype: Literal["float16", "bfloat16"] = "float16"
    hub_cache: Path = Path("/data")

    max_active_adapters: int = 1024
    adapter_cycle_time_s: int = 2
    adapter_memory_fraction: float = 0.1
    preloaded_adapter_ids: tuple[str, ...] = ()
    preloaded_adapter_source: str | None = None

    max_concurrent_requests: int = 1024
    max_best_of: int = 2
    max_stop_sequences: int = 4
    max_input_length: int = MAX_POSITIONS - 1
    max_total_tokens: int = MAX_POSITIONS
    max_batch_prefill_tokens: int | None = None
    max_batch_total_tokens: int | None = None
    waiting_served_ratio: float = 1.2
    max_waiting_tokens: int = 20
    eager_prefill: bool = True
    validation_workers: int = 2

    identity_salt: str = field(default="", repr=False)
    profile: str = DEFAULT_PROFILE
    time_scale: float = 1.0
    chat_template: ChatTemplate = "merge-system"
    lorax_version: LoraxVersion = "v0.12.1"
    tokenizer: Path | None = None
    stale_ready_probability: float = STALE_READY_PROBABILITY
    abort_bugs: bool = True
    faults: tuple[Fault, ...] = ()
    random_seed: int = 0

    @property
    def cost(self) -> CostModel:
        """The cost model of the profile."""
        return CostModel.named(self.profile)

    @property
    def batch_limits(self) -> BatchLimits:
        """The token budgets. As in LoRAX, the GPU's memory caps the flag's value."""
        kv_tokens = self.cost.kv_tokens
        return BatchLimits(
            max_batch_prefill_tokens=self._prefill_tokens,
            max_batch_total_tokens=min(self.max_batch_total_tokens or kv_tokens, kv_tokens),
            waiting_served_ratio=self.waiting_served_ratio,
            max_waiting_tokens=self.max_waiting_tokens,
            eager_prefill=self.eager_prefill,
        )

    @property
    def _prefill_tokens(self) -> int:
        return self.max_batch_prefill_tokens or self.max_input_length + _PREFILL_MARGIN

    def checked(self) -> Self:
        """Return the settings; raises SettingsError if LoRAX would not start with them."""
        if self.profile not in profiles():
            raise SettingsError(f"no profile named {self.profile}; there are {', '.join(profiles())}")
        total = self.batch_limits.max_batch_total_tokens
        if self.validation_workers == 0:
            raise SettingsError("`validation_workers` must be > 0")
        if self.tokenizer is not None:
            try:
                check_tokenizer(self.tokenizer)
            except TokenizerError as error:
                raise SettingsError(str(error)) from error
        bounds = (
            ("max_input_length", self.max_input_length, "<", "max_total_tokens", self.max_total_tokens),
            ("max_batch_prefill_tokens", self._prefill_tokens, ">=", "max_input_length", self.max_input_length),
            ("max_batch_prefill_tokens", self._prefill_tokens, "<=", "max_batch_total_tokens", total),
            ("max_total_tokens", self.max_total_tokens, "<=", "max_batch_total_tokens", total),
        )
        holds = {"<": operator.lt, "<=": operator.le, ">=": operator.ge}
        for name, value, relation, other, bound in bounds:
            if not holds[relation](value, bound):
                raise SettingsError(f"`{name}` must be {relation} `{other}`. Given: {value} and {bound}")
        return self
