"""The AdapterReady reason and the retry delay of an adapter that failed in LoRAX. Pure."""

from collections.abc import Mapping
from typing import Final

from boardroom.adapters.protocol import MISSING
from boardroom.api.membership import CONCURRENCY_LIMIT
from boardroom.engine.errors import AdapterFailed, AdapterFault, EngineError

FIRST_RETRY_SECONDS: Final = 5.0
LAST_RETRY_SECONDS: Final = 300.0
CAPACITY_RETRY_SECONDS: Final = 300.0, 4800.0
"""The first and the last retry delay if LoRAX can't serve all adapters together: each try delays every question."""

BASE_MODEL: Final = "the base model"

_REASONS: Final[Mapping[AdapterFault | None, str]] = {
    AdapterFault.MISSING: MISSING,
    AdapterFault.INCOMPATIBLE: "BaseModelMismatch",
    AdapterFault.TOO_LARGE: "TooLarge",
    AdapterFault.NO_MEMORY: "InsufficientAdapterMemory",
    AdapterFault.NO_PERMIT: CONCURRENCY_LIMIT,
}


def failure_reason(error: EngineError) -> str:
    """The reason of AdapterReady=False."""
    fault = error.fault if isinstance(error, AdapterFailed) else None
    return _REASONS.get(fault, "LoadFailed")


def exceeds_capacity(error: EngineError | None) -> bool:
    """Whether the board needs more than LoRAX can hold: a retry helps only after the board needs less."""
    return isinstance(error, AdapterFailed) and error.fault in (AdapterFault.NO_MEMORY, AdapterFault.NO_PERMIT)


def no_memory(path: str | None, loaded: int) -> AdapterFailed:
    """LoRAX never had the adapter on the GPU at the same time as this many others."""
    return AdapterFailed(
        AdapterFault.NO_MEMORY,
        f"LoRAX can't hold {path or BASE_MODEL} together with the {loaded} adapters that it holds, and would swap them "
        "during answers: give adapters more memory (spec.lorax.extraArgs: --adapter-memory-fraction), use adapters of "
        "a lower rank, or delete another BoardAgent",
    )


def no_permit(path: str | None, loaded: int) -> AdapterFailed:
    """LoRAX refused the adapter's probe while it answered this many others."""
    return AdapterFailed(
        AdapterFault.NO_PERMIT,
        f"LoRAX answers {loaded} requests at once, {path or BASE_MODEL} is one too many, and LoRAX would evict another "
        "for it: raise spec.lorax.maxConcurrentRequests, or delete another BoardAgent",
    )


def delay(error: EngineError, failures: int) -> float:
    """The seconds until the next try. Exceeded capacity has longer delays: it lasts until something else changes."""
    doubled: int = 2 ** min(failures - 1, 16)
    first, last = CAPACITY_RETRY_SECONDS if exceeds_capacity(error) else (FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS)
    return min(last, first * doubled)
