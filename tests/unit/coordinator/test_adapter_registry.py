"""What is known of an adapter, and when something may be sent to it."""

import pytest

from boardroom.adapters.protocol import AdapterFiles, missing_directory
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.adapter_state import AdapterPhase, load_ms
from boardroom.coordinator.backends.incarnation import CHANGED, UNCONFIRMED, RequestCounter
from boardroom.engine.errors import (
    AdapterFailed,
    AdapterFault,
    ConnectionLost,
    EngineError,
    EngineTimeout,
    GenerationFailed,
    Overloaded,
)

PATH = "/models/ceo_lora_adapter"
GOOD = AdapterFiles(digest="sha256:1", rank=8, base_model="m")
OTHER = AdapterFiles(digest="sha256:2", rank=8, base_model="m")
MISSING = AdapterFailed(AdapterFault.MISSING, "No valid adapter config file found")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> AdapterRegistry:
    made = AdapterRegistry(clock)
    made.keep([PATH])
    made.update_files({PATH: GOOD})
    return made


def test_an_adapter_that_nobody_asked_yet_may_be_sent_to_and_is_to_be_proved(registry: AdapterRegistry) -> None:
    assert (registry.block_reason(PATH), registry.unverified(), registry.ready()) == (None, [PATH], [])


def test_an_answer_proves_the_adapter_and_its_digest(registry: AdapterRegistry) -> None:
    registry.record_answer(PATH, 35.0, registry.target(PATH))
    assert (registry.ready(), registry.unverified(), registry[PATH].digest, registry[PATH].load_ms) == (
        [PATH],
        [],
        "sha256:1",
        35,
    )


def test_a_failed_adapter_is_not_probed_before_its_back_off_is_over(registry: AdapterRegistry, clock: Clock) -> None:
    registry.record_failure(PATH, MISSING, registry.target(PATH))
    clock.now += 4.9
    before = registry.unverified()
    clock.now += 0.2
    assert (before, registry.unverified()) == ([], [PATH])


def test_the_back_off_doubles_from_five_seconds_to_five_minutes(registry: AdapterRegistry, clock: Clock) -> None:
    waits = []
    for _ in range(8):
        registry.record_failure(PATH, MISSING, registry.target(PATH))
        waits.append(registry[PATH].retry_at - clock.now)
        clock.now = registry[PATH].retry_at
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]


def test_questions_that_fail_together_are_one_try(registry: AdapterRegistry, clock: Clock) -> None:
    for _ in range(10):
        registry.record_failure(PATH, MISSING, registry.target(PATH))
        clock.now += 0.1
    assert (registry[PATH].failures, registry[PATH].retry_at) == (1, 1005.0)


def test_no_question_tries_a_failed_adapter_again(registry: AdapterRegistry, clock: Clock) -> None:
    registry.record_failure(PATH, MISSING, registry.target(PATH))
    clock.now += 6
    assert registry.block_reason(PATH) is MISSING


def test_other_files_are_a_reason_to_try_again_at_once(registry: AdapterRegistry) -> None:
    registry.record_failure(PATH, MISSING, registry.target(PATH))
    registry.update_files({PATH: OTHER})
    assert (registry.block_reason(PATH), registry[PATH].failures) == (None, 0)


def test_the_same_files_are_no_reason_to_try_again(registry: AdapterRegistry) -> None:
    registry.record_failure(PATH, MISSING, registry.target(PATH))
    registry.update_files({PATH: GOOD})
    assert registry.block_reason(PATH) is MISSING


def test_what_lorax_gets_silently_wrong_is_never_sent_to(registry: AdapterRegistry) -> None:
    registry.record_answer(PATH, 0, registry.target(PATH))
    registry.update_files({PATH: AdapterFiles(problem="UnsupportedFeature", message="use_dora is set")})
    assert (str(registry.block_reason(PATH)), registry.unverified()) == ("use_dora is set", [])


GONE = missing_directory(PATH)
BROKEN = AdapterFiles(problem="AdapterInvalid", message="torn")


@pytest.mark.parametrize("finding", [GONE, BROKEN])
def test_lorax_is_not_asked_to_load_what_is_not_there(registry: AdapterRegistry, finding: AdapterFiles) -> None:
    """Each failed load evicts a good adapter (docs/lorax.md#idle-eviction)."""
    registry.update_files({PATH: finding})
    refused = registry.block_reason(PATH), registry.unverified(), registry[PATH].is_blocked
    registry.update_files({PATH: GOOD})
    assert (str(refused[0]), *refused[1:]) == (finding.message, [], True)
    assert (registry.block_reason(PATH), registry.unverified()) == (None, [PATH])


@pytest.mark.parametrize("finding", [GONE, BROKEN])
def test_what_lorax_has_loaded_speaks_on_without_its_files_until_lorax_starts_anew(
    registry: AdapterRegistry, finding: AdapterFiles
) -> None:
    registry.record_answer(PATH, 0, registry.target(PATH))
    registry.update_files({PATH: finding})
    spoke = registry.block_reason(PATH), registry[PATH].digest
    registry.restarted()
    assert (spoke, str(registry.block_reason(PATH))) == ((None, "sha256:1"), finding.message)


def test_new_files_under_a_loaded_path_are_proved_again_but_not_attributed(registry: AdapterRegistry) -> None:
    registry.record_answer(PATH, 30, registry.target(PATH))
    registry.update_files({PATH: OTHER})
    asked_again = registry.unverified()
    registry.record_answer(PATH, 1, registry.target(PATH))
    assert (asked_again, registry[PATH].phase, registry[PATH].digest) == ([PATH], AdapterPhase.READY, None)


def test_a_digest_that_is_learnt_after_the_proof_is_that_of_the_loaded_files(registry: AdapterRegistry) -> None:
    fresh = AdapterRegistry(lambda: 0.0)
    fresh.keep([PATH])
    fresh.record_answer(PATH, 30, fresh.target(PATH))
    fresh.update_files({PATH: GOOD})
    assert (fresh[PATH].phase, fresh[PATH].digest) == (AdapterPhase.READY, "sha256:1")


def test_a_restart_of_lorax_forgets_proofs_failures_and_replaced_files(registry: AdapterRegistry) -> None:
    registry.record_answer(PATH, 30, registry.target(PATH))
    registry.update_files({PATH: OTHER})
    registry.record_answer(PATH, 1, registry.target(PATH))
    registry.restarted()
    proved = registry.ready()
    registry.record_answer(PATH, 30, registry.target(PATH))
    assert (proved, registry[PATH].digest) == ([], "sha256:2")


@pytest.mark.parametrize("late", ["answered", "failed"])
def test_what_an_earlier_life_of_lorax_was_asked_changes_nothing(registry: AdapterRegistry, late: str) -> None:
    asked = registry.target(PATH)
    registry.restarted()
    if late == "answered":
        registry.record_answer(PATH, 30, asked)
    else:
        registry.record_failure(PATH, MISSING, asked)
    assert (registry[PATH].phase, registry[PATH].digest) == (AdapterPhase.UNKNOWN, None)


def test_files_that_changed_while_lorax_loaded_them_have_no_digest(registry: AdapterRegistry) -> None:
    asked = registry.target(PATH)
    registry.update_files({PATH: OTHER})
    registry.record_answer(PATH, 30, asked)
    assert (registry[PATH].digest, registry[PATH].no_digest_reason) == (None, CHANGED)


def test_a_digest_counts_once_the_sidecar_has_been_asked_after_the_load(
    registry: AdapterRegistry, clock: Clock
) -> None:
    registry.loads_started()
    registry.record_answer(PATH, 30, registry.target(PATH))
    registry.confirm(clock.now)
    during = registry[PATH].digest, registry[PATH].no_digest_reason
    clock.now += 10
    registry.loads_finished()
    registry.confirm(clock.now - 1)
    asked_before_the_end = registry[PATH].digest
    registry.confirm(clock.now)
    assert (during, asked_before_the_end, registry[PATH].digest) == ((None, UNCONFIRMED), None, "sha256:1")


@pytest.mark.parametrize(
    ("first", "answered", "before", "says", "same"),
    [
        (10, 0, 10, 10, True),
        (10, 0, 12, 11, False),
        (10, 3, 10, 12, False),  # it went up, and by less than it answered
        (10, 3, 10, 13, True),
        (10, 3, 99, 98, False),
        (0, 5, 0, 0, True),  # it counts nothing at all
        (0, 5, 5, 0, False),
    ],
)
def test_a_process_is_another_where_it_counted_less_than_it_has_answered(
    first: int, answered: int, before: int, says: int, same: bool
) -> None:
    counted = RequestCounter(first)
    counted.is_same_process(before)
    counted.add_answers(answered)
    assert counted.is_same_process(says) is same


FAILURES: list[tuple[EngineError, bool, AdapterPhase]] = [
    (MISSING, False, AdapterPhase.FAILED),
    (MISSING, True, AdapterPhase.FAILED),
    (GenerationFailed("Error while deserializing header"), False, AdapterPhase.FAILED),
    (GenerationFailed("CUDA error"), True, AdapterPhase.READY),
    (EngineTimeout("600 s"), False, AdapterPhase.FAILED),
    (EngineTimeout("2 s"), True, AdapterPhase.READY),
    (ConnectionLost("reset"), False, AdapterPhase.UNKNOWN),
    (Overloaded("Model is overloaded"), False, AdapterPhase.UNKNOWN),
]


@pytest.mark.parametrize(("error", "proved", "state"), FAILURES)
def test_only_what_tells_about_the_adapter_changes_its_state(
    registry: AdapterRegistry, error: EngineError, proved: bool, state: AdapterPhase
) -> None:
    if proved:
        registry.record_answer(PATH, 0, registry.target(PATH))
    registry.record_failure(PATH, error, registry.target(PATH))
    assert registry[PATH].phase == state


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (AdapterFault.MISSING, "AdapterMissing"),
        (AdapterFault.INCOMPATIBLE, "BaseModelMismatch"),
        (AdapterFault.TOO_LARGE, "TooLarge"),
        (AdapterFault.REFUSED, "LoadFailed"),
    ],
)
def test_a_failure_has_the_reason_of_its_condition(registry: AdapterRegistry, fault: AdapterFault, reason: str) -> None:
    registry.record_failure(PATH, AdapterFailed(fault, "cause"), registry.target(PATH))
    assert registry[PATH].reason == reason


def test_adapters_that_no_member_names_are_forgotten(registry: AdapterRegistry) -> None:
    registry.record_answer(PATH, 0, registry.target(PATH))
    registry.keep(["/models/cfo"])
    assert (registry.ready(), registry.unverified()) == ([], ["/models/cfo"])


@pytest.mark.parametrize(("queue_ms", "load"), [(None, None), (19, None), (20, 20), (1999.6, 2000)])
def test_the_first_answer_tells_by_its_wait_in_the_queue_how_long_the_load_took(
    queue_ms: float | None, load: int | None
) -> None:
    assert load_ms(queue_ms) == load
