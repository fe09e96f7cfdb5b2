"""What coordinators tell each other arrives as it was."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from boardroom.adapters.protocol import AdapterFiles
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.adapter_state import AdapterPhase, AdapterState
from boardroom.coordinator.peers.protocol import AdapterReport, BackendState, ErrorBody
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
    state = replace(registry[PATH], replaced=True, last_probe=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    there = msgspec.json.decode(msgspec.json.encode(AdapterReport.of(state)), type=AdapterReport).to_state()
    assert there == state
    assert there.phase is AdapterPhase.READY


def test_the_base_model_has_a_state_as_an_adapter_has() -> None:
    state = AdapterState(path=None, phase=AdapterPhase.READY)
    assert AdapterReport.of(state).path == ""
    assert AdapterReport.of(state).to_state() == state


READY_CEO = AdapterReport(path=PATH, state=AdapterPhase.READY)
BASE = AdapterReport(path="", state=AdapterPhase.UNKNOWN)


@pytest.mark.parametrize(
    ("base", "records", "ready"),
    [
        (True, [READY_CEO], [PATH, None]),  # a leader of a version before
        (False, [READY_CEO], [PATH]),
        (True, [READY_CEO, AdapterReport(path="", state=AdapterPhase.READY)], [PATH, None]),
        (False, [READY_CEO, BASE], [PATH]),
    ],
)
def test_the_base_model_of_a_leader_of_a_version_before_is_ready_here_too(
    base: bool, records: list[AdapterReport], ready: list[str | None]
) -> None:
    sent = msgspec.json.encode(BackendState(running=True, base=base, records=records))
    states = msgspec.json.decode(sent, type=BackendState).states()
    assert [state.path for state in states if state.phase is AdapterPhase.READY] == ready
