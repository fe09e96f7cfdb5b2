"""What each event makes of an adapter's state: one row for each pair of a phase and an event."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import get_args

import pytest

from boardroom.adapters.protocol import AdapterFiles
from boardroom.coordinator.backends.adapter_state import (
    AdapterPhase,
    AdapterState,
    Answered,
    Event,
    Failed,
    FilesConfirmed,
    FilesReported,
    Invalidated,
    LoadsStarted,
    Observed,
    Restarted,
    transition,
)
from boardroom.coordinator.backends.incarnation import CHANGED
from boardroom.engine.errors import AdapterFailed, AdapterFault, EngineTimeout, GenerationFailed, Overloaded

EARLIER, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
FILES = AdapterFiles(digest="sha256:1", rank=8)
NEW_FILES = AdapterFiles(digest="sha256:2", rank=8)
TORN = AdapterFiles(problem="AdapterInvalid", message="torn")
MISSING = AdapterFailed(AdapterFault.MISSING, "No valid adapter config file found")
TOO_LARGE = AdapterFailed(AdapterFault.TOO_LARGE, "rank 512")

UNKNOWN = AdapterState(path="/models/ceo", files=FILES)
READY = replace(
    UNKNOWN, phase=AdapterPhase.READY, loaded_digest="sha256:1", confirmed=False, load_ms=300, last_probe=EARLIER
)
FAILED = replace(
    UNKNOWN,
    phase=AdapterPhase.FAILED,
    error=MISSING,
    reason="AdapterMissing",
    failures=1,
    retry_at=105.0,
    last_probe=EARLIER,
)
STATES = {state.phase: state for state in (UNKNOWN, READY, FAILED)}


def answered(digest: str | None = "sha256:1") -> Answered:
    return Answered(digest=digest, queue_ms=40.0, time=NOW)


def failed(error: AdapterFailed | GenerationFailed | EngineTimeout | Overloaded, now: float = 100.0) -> Failed:
    return Failed(error=error, now=now, time=NOW)


IS_READY = replace(READY, confirmed=True, load_ms=40, last_probe=NOW)
IS_MISSING = replace(FAILED, last_probe=NOW)
FOLLOWED = replace(READY, path="/models/ceo", load_ms=7)

TABLE: list[tuple[str, AdapterPhase, Event, AdapterState]] = [
    # a probe got tokens
    ("the weights are the files that lay there", AdapterPhase.UNKNOWN, answered(), IS_READY),
    ("files changed during the load", AdapterPhase.UNKNOWN, answered("sha256:0"), replace(IS_READY, replaced=True)),
    ("nobody knew the files when the probe left", AdapterPhase.UNKNOWN, answered(None), IS_READY),
    ("the first answer counts", AdapterPhase.READY, answered("sha256:0"), READY),
    ("a failed adapter works now", AdapterPhase.FAILED, answered(), replace(IS_READY, retry_at=105.0)),
    # a request failed
    ("LoRAX can't load the adapter", AdapterPhase.UNKNOWN, failed(MISSING), IS_MISSING),
    (
        "LoRAX has lost the adapter, and keeps what it read of the path",
        AdapterPhase.READY,
        failed(MISSING),
        replace(IS_MISSING, confirmed=False, loaded_digest="sha256:1"),
    ),
    ("requests that fail together are one try", AdapterPhase.FAILED, failed(MISSING, 104.9), IS_MISSING),
    (
        "a try after the back-off doubles the next one",
        AdapterPhase.FAILED,
        failed(TOO_LARGE, 105.0),
        replace(IS_MISSING, error=TOO_LARGE, reason="TooLarge", failures=2, retry_at=115.0),
    ),
    ("an overload does not tell about an adapter", AdapterPhase.UNKNOWN, failed(Overloaded("429")), UNKNOWN),
    ("nor does a timeout once it has answered", AdapterPhase.READY, failed(EngineTimeout("2 s")), READY),
    ("nor does a failed batch", AdapterPhase.READY, failed(GenerationFailed("CUDA error")), READY),
    # the sidecar reported
    ("the same files", AdapterPhase.UNKNOWN, FilesReported(FILES), UNKNOWN),
    ("the same files", AdapterPhase.READY, FilesReported(FILES), READY),
    ("the same files are no reason to try again", AdapterPhase.FAILED, FilesReported(FILES), FAILED),
    ("new files", AdapterPhase.UNKNOWN, FilesReported(NEW_FILES), replace(UNKNOWN, files=NEW_FILES)),
    (
        "new files have to answer, but LoRAX may have the old ones",
        AdapterPhase.READY,
        FilesReported(NEW_FILES),
        replace(READY, files=NEW_FILES, phase=AdapterPhase.UNKNOWN),
    ),
    ("what is loaded goes on without files", AdapterPhase.READY, FilesReported(TORN), replace(READY, files=TORN)),
    (
        "new files are tried at once",
        AdapterPhase.FAILED,
        FilesReported(NEW_FILES),
        replace(UNKNOWN, files=NEW_FILES, last_probe=EARLIER),
    ),
    # a wave
    ("files may change from now on", AdapterPhase.UNKNOWN, LoadsStarted(), replace(UNKNOWN, confirmed=False)),
    ("files may change from now on", AdapterPhase.READY, LoadsStarted(), READY),
    ("files may change from now on", AdapterPhase.FAILED, LoadsStarted(), replace(FAILED, confirmed=False)),
    ("files did not change", AdapterPhase.UNKNOWN, FilesConfirmed(), UNKNOWN),
    ("files did not change", AdapterPhase.READY, FilesConfirmed(), replace(READY, confirmed=True)),
    ("files did not change", AdapterPhase.FAILED, FilesConfirmed(), FAILED),
    # it has to answer again
    ("it has to answer anyway", AdapterPhase.UNKNOWN, Invalidated(), UNKNOWN),
    ("what is loaded stays known", AdapterPhase.READY, Invalidated(), replace(READY, phase=AdapterPhase.UNKNOWN)),
    ("it is tried at once", AdapterPhase.FAILED, Invalidated(), replace(UNKNOWN, last_probe=EARLIER)),
    # another incarnation of LoRAX
    ("nothing was loaded", AdapterPhase.UNKNOWN, Restarted(), UNKNOWN),
    ("nothing is loaded", AdapterPhase.READY, Restarted(), replace(UNKNOWN, confirmed=False, last_probe=EARLIER)),
    ("what failed may work now", AdapterPhase.FAILED, Restarted(), replace(UNKNOWN, last_probe=EARLIER)),
    # the leader knows better
    ("the leader's state", AdapterPhase.UNKNOWN, Observed(FOLLOWED), FOLLOWED),
    ("the leader's state", AdapterPhase.READY, Observed(UNKNOWN), UNKNOWN),
    (
        "a back-off is each coordinator's own",
        AdapterPhase.FAILED,
        Observed(FOLLOWED),
        replace(FOLLOWED, failures=1, retry_at=105.0),
    ),
]


@pytest.mark.parametrize(
    ("phase", "event", "after"),
    [row[1:] for row in TABLE],
    ids=[f"{row[1]}, {type(row[2]).__name__}: {row[0]}" for row in TABLE],
)
def test_a_state_after_an_event(phase: AdapterPhase, event: Event, after: AdapterState) -> None:
    assert transition(STATES[phase], event) == after


def test_the_table_has_each_phase_with_each_event() -> None:
    rows = {(phase, type(event)) for _, phase, event, _ in TABLE}
    assert set(product(AdapterPhase, get_args(Event))) - rows == set()


def test_a_digest_that_is_reported_after_the_answer_is_that_of_the_loaded_files() -> None:
    """The sidecar starts beside LoRAX, and may report later."""
    unreported = replace(READY, files=None, loaded_digest=None)
    assert transition(unreported, FilesReported(FILES)) == READY


def test_files_that_change_around_a_failed_load_leave_the_weights_unknown() -> None:
    """LoRAX keeps what it read of a path: an answer after the failure may still be the old weights'."""
    state = replace(READY, confirmed=True)
    for event in (FilesReported(NEW_FILES), failed(MISSING), answered(NEW_FILES.digest)):
        state = transition(state, event)
    assert (state.phase, state.digest, state.no_digest_reason) == (AdapterPhase.READY, None, CHANGED)
    fresh = transition(transition(state, Restarted()), answered(NEW_FILES.digest))
    assert fresh.digest == NEW_FILES.digest


@pytest.mark.parametrize("error", [GenerationFailed("Error while deserializing header"), EngineTimeout("600 s")])
def test_a_request_that_fails_to_an_adapter_that_never_answered_tells_about_the_adapter(
    error: GenerationFailed | EngineTimeout,
) -> None:
    after = transition(UNKNOWN, failed(error))
    assert (after.phase, after.reason, after.retry_at) == (AdapterPhase.FAILED, "LoadFailed", 105.0)


@pytest.mark.parametrize(
    ("state", "probed", "blocked"),
    [
        (UNKNOWN, True, False),
        (READY, False, False),
        (FAILED, False, True),
        (replace(FAILED, retry_at=100.0), True, True),
        (replace(UNKNOWN, files=TORN), False, True),
        (replace(READY, files=TORN), False, False),
        (AdapterState(path="hf://org/adapter"), False, True),
        (AdapterState(path=None), True, False),
    ],
)
def test_what_may_be_sent_to_an_adapter(state: AdapterState, probed: bool, blocked: bool) -> None:
    assert (state.may_be_probed(100.0), state.is_blocked) == (probed, blocked)
