"""What coordinators tell each other arrives as it was."""

from datetime import UTC, datetime

import msgspec
import pytest

from boardroom.adapters.protocol import AdapterFiles
from boardroom.coordinator.backends.adapter_state import AdapterPhase, AdapterRegistry, AdapterState
from boardroom.coordinator.peers.protocol import AdapterReport, ErrorBody
from boardroom.engine.errors import (
    AdapterFailed,
    AdapterFault,
    ConnectionLost,
    EngineError,
    EngineTimeout,
    GenerationFailed,
    Overloaded,
    Starting,
    Unhealthy,
    Unreachable,
)

PATH = "/models/ceo_lora_adapter"


@pytest.mark.parametrize(
    "error",
    [
        AdapterFailed(AdapterFault.MISSING, "No valid adapter config file found"),
        *(kind("why") for kind in (ConnectionLost, EngineTimeout, GenerationFailed, Overloaded, Starting, Unhealthy)),
        Unreachable("gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_of_the_same_kind_there(error: EngineError) -> None:
    sent = msgspec.json.decode(msgspec.json.encode(ErrorBody.of(error)), type=ErrorBody).error()
    assert (type(sent), str(sent), getattr(sent, "fault", None)) == (
        type(error), str(error), getattr(error, "fault", None),
    )  # fmt: skip


def test_an_error_that_this_version_does_not_know_is_still_an_error() -> None:
    assert isinstance(ErrorBody("of a later version", "why").error(), EngineError)


def test_all_that_is_known_of_an_adapter_is_known_there() -> None:
    registry = AdapterRegistry(lambda: 0.0)
    registry.keep([PATH])
    registry.update_files({PATH: AdapterFiles(digest="sha256:1", rank=8, base_model="m")})
    registry.record_answer(PATH, 300, registry.target(PATH))
    record = registry[PATH]
    record.replaced, record.last_probe = True, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    there = AdapterState(PATH)
    msgspec.json.decode(msgspec.json.encode(AdapterReport.of(record)), type=AdapterReport).write(there)
    assert vars(there) == vars(record)
    assert there.phase is AdapterPhase.READY
