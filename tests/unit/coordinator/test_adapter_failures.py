"""The reason and the back-off of an adapter that failed in LoRAX."""

import pytest

from boardroom.coordinator.backends.adapter_failures import (
    delay,
    exceeds_capacity,
    failure_reason,
    no_memory,
    no_permit,
)
from boardroom.engine.errors import AdapterFailed, AdapterFault, EngineError, Unreachable

MISSING = AdapterFailed(AdapterFault.MISSING, "no file")
TOO_MUCH = no_memory("/models/ceo", 3)


@pytest.mark.parametrize(
    ("error", "reason", "too_much"),
    [
        (MISSING, "AdapterMissing", False),
        (AdapterFailed(AdapterFault.INCOMPATIBLE, "x"), "BaseModelMismatch", False),
        (AdapterFailed(AdapterFault.TOO_LARGE, "x"), "TooLarge", False),
        (TOO_MUCH, "InsufficientAdapterMemory", True),
        (no_permit("/models/ceo", 3), "ConcurrencyLimit", True),
        (Unreachable("down"), "LoadFailed", False),
    ],
)
def test_a_failure_has_a_reason_and_may_be_the_boards_own(error: EngineError, reason: str, too_much: bool) -> None:
    assert (failure_reason(error), exceeds_capacity(error)) == (reason, too_much)


@pytest.mark.parametrize(
    ("error", "delays"),
    [(MISSING, [5, 10, 20, 40, 80, 160, 300, 300]), (TOO_MUCH, [300, 600, 1200, 2400, 4800, 4800])],
)
def test_the_wait_doubles_up_to_a_limit(error: EngineError, delays: list[float]) -> None:
    assert [delay(error, failures) for failures in range(1, len(delays) + 1)] == delays
    assert delay(error, 10_000) == delays[-1]


@pytest.mark.parametrize(
    ("error", "field"),
    [(TOO_MUCH, "spec.lorax.extraArgs: --adapter-memory-fraction"), (no_permit(None, 3), "maxConcurrentRequests")],
)
def test_what_is_too_much_names_the_field_that_helps(error: EngineError, field: str) -> None:
    assert field in str(error)
    assert ("the base model" in str(error)) is (error is not TOO_MUCH)
