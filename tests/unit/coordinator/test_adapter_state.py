"""What is known of an adapter, and when something may be sent to it."""

import pytest

from boardroom.adapters.compatibility import AdapterFiles, missing_directory
from boardroom.coordinator.backends.adapter_state import AdapterRegistry, AdapterState, load_ms
from boardroom.coordinator.backends.incarnation import CHANGED, UNCONFIRMED, Counted
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
def book(clock: Clock) -> AdapterRegistry:
    found = AdapterRegistry(clock)
    found.keep([PATH])
    found.found({PATH: GOOD})
    return found


def test_an_adapter_that_nobody_asked_yet_may_be_sent_to_and_is_to_be_proved(book: AdapterRegistry) -> None:
    assert (book.gate(PATH), book.unproved(), book.ready()) == (None, [PATH], [])


def test_an_answer_proves_the_adapter_and_its_digest(book: AdapterRegistry) -> None:
    book.answered(PATH, 35.0, book.asked(PATH))
    assert (book.ready(), book.unproved(), book[PATH].digest, book[PATH].load_ms) == ([PATH], [], "sha256:1", 35)


def test_a_failed_adapter_is_not_probed_before_its_back_off_is_over(book: AdapterRegistry, clock: Clock) -> None:
    book.failed(PATH, MISSING, book.asked(PATH))
    clock.now += 4.9
    before = book.unproved()
    clock.now += 0.2
    assert (before, book.unproved()) == ([], [PATH])


def test_the_back_off_doubles_from_five_seconds_to_five_minutes(book: AdapterRegistry, clock: Clock) -> None:
    waits = []
    for _ in range(8):
        book.failed(PATH, MISSING, book.asked(PATH))
        waits.append(book[PATH].retry_at - clock.now)
        clock.now = book[PATH].retry_at
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]


def test_questions_that_fail_together_are_one_try(book: AdapterRegistry, clock: Clock) -> None:
    for _ in range(10):
        book.failed(PATH, MISSING, book.asked(PATH))
        clock.now += 0.1
    assert (book[PATH].failures, book[PATH].retry_at) == (1, 1005.0)


def test_no_question_tries_a_failed_adapter_again(book: AdapterRegistry, clock: Clock) -> None:
    book.failed(PATH, MISSING, book.asked(PATH))
    clock.now += 6
    assert book.gate(PATH) is MISSING


def test_other_files_are_a_reason_to_try_again_at_once(book: AdapterRegistry) -> None:
    book.failed(PATH, MISSING, book.asked(PATH))
    book.found({PATH: OTHER})
    assert (book.gate(PATH), book[PATH].failures) == (None, 0)


def test_the_same_files_are_no_reason_to_try_again(book: AdapterRegistry) -> None:
    book.failed(PATH, MISSING, book.asked(PATH))
    book.found({PATH: GOOD})
    assert book.gate(PATH) is MISSING


def test_what_lorax_gets_silently_wrong_is_never_sent_to(book: AdapterRegistry) -> None:
    book.answered(PATH, 0, book.asked(PATH))
    book.found({PATH: AdapterFiles(problem="UnsupportedFeature", message="use_dora is set")})
    assert (str(book.gate(PATH)), book.unproved()) == ("use_dora is set", [])


GONE = missing_directory(PATH)
BROKEN = AdapterFiles(problem="AdapterInvalid", message="torn")


@pytest.mark.parametrize("finding", [GONE, BROKEN])
def test_lorax_is_not_asked_to_load_what_is_not_there(book: AdapterRegistry, finding: AdapterFiles) -> None:
    """Each failed load evicts a good adapter (trap 1)."""
    book.found({PATH: finding})
    refused = book.gate(PATH), book.unproved(), book[PATH].failing
    book.found({PATH: GOOD})
    assert (str(refused[0]), *refused[1:]) == (finding.message, [], True)
    assert (book.gate(PATH), book.unproved()) == (None, [PATH])


@pytest.mark.parametrize("finding", [GONE, BROKEN])
def test_what_lorax_has_loaded_speaks_on_without_its_files_until_lorax_starts_anew(
    book: AdapterRegistry, finding: AdapterFiles
) -> None:
    book.answered(PATH, 0, book.asked(PATH))
    book.found({PATH: finding})
    spoke = book.gate(PATH), book[PATH].digest
    book.restarted()
    assert (spoke, str(book.gate(PATH))) == ((None, "sha256:1"), finding.message)


def test_new_files_under_a_loaded_path_are_proved_again_but_not_attributed(book: AdapterRegistry) -> None:
    book.answered(PATH, 30, book.asked(PATH))
    book.found({PATH: OTHER})
    asked_again = book.unproved()
    book.answered(PATH, 1, book.asked(PATH))
    assert (asked_again, book[PATH].state, book[PATH].digest) == ([PATH], AdapterState.READY, None)


def test_a_digest_that_is_learnt_after_the_proof_is_that_of_the_loaded_files(book: AdapterRegistry) -> None:
    fresh = AdapterRegistry(lambda: 0.0)
    fresh.answered(PATH, 30, fresh.asked(PATH))
    fresh.keep([PATH])
    fresh.found({PATH: GOOD})
    assert (fresh[PATH].state, fresh[PATH].digest) == (AdapterState.READY, "sha256:1")


def test_a_restart_of_lorax_forgets_proofs_failures_and_replaced_files(book: AdapterRegistry) -> None:
    book.answered(PATH, 30, book.asked(PATH))
    book.found({PATH: OTHER})
    book.answered(PATH, 1, book.asked(PATH))
    book.restarted()
    proved = book.ready()
    book.answered(PATH, 30, book.asked(PATH))
    assert (proved, book[PATH].digest) == ([], "sha256:2")


@pytest.mark.parametrize("late", ["answered", "failed"])
def test_what_an_earlier_life_of_lorax_was_asked_changes_nothing(book: AdapterRegistry, late: str) -> None:
    asked = book.asked(PATH)
    book.restarted()
    if late == "answered":
        book.answered(PATH, 30, asked)
    else:
        book.failed(PATH, MISSING, asked)
    assert (book[PATH].state, book[PATH].digest) == (AdapterState.UNKNOWN, None)


def test_files_that_changed_while_lorax_loaded_them_have_no_digest(book: AdapterRegistry) -> None:
    asked = book.asked(PATH)
    book.found({PATH: OTHER})
    book.answered(PATH, 30, asked)
    assert (book[PATH].digest, book[PATH].nameless) == (None, CHANGED)


def test_a_digest_counts_once_the_sidecar_has_been_asked_after_the_load(book: AdapterRegistry, clock: Clock) -> None:
    book.load()
    book.answered(PATH, 30, book.asked(PATH))
    book.confirm(clock.now)
    during = book[PATH].digest, book[PATH].nameless
    clock.now += 10
    book.loaded()
    book.confirm(clock.now - 1)
    asked_before_the_end = book[PATH].digest
    book.confirm(clock.now)
    assert (during, asked_before_the_end, book[PATH].digest) == ((None, UNCONFIRMED), None, "sha256:1")


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
    counted = Counted(first)
    counted.counts(before)
    counted.answered(answered)
    assert counted.counts(says) is same


FAILURES: list[tuple[EngineError, bool, AdapterState]] = [
    (MISSING, False, AdapterState.FAILED),
    (MISSING, True, AdapterState.FAILED),
    (GenerationFailed("Error while deserializing header"), False, AdapterState.FAILED),
    (GenerationFailed("CUDA error"), True, AdapterState.READY),
    (EngineTimeout("600 s"), False, AdapterState.FAILED),
    (EngineTimeout("2 s"), True, AdapterState.READY),
    (ConnectionLost("reset"), False, AdapterState.UNKNOWN),
    (Overloaded("Model is overloaded"), False, AdapterState.UNKNOWN),
]


@pytest.mark.parametrize(("error", "proved", "state"), FAILURES)
def test_only_what_tells_about_the_adapter_changes_its_state(
    book: AdapterRegistry, error: EngineError, proved: bool, state: AdapterState
) -> None:
    if proved:
        book.answered(PATH, 0, book.asked(PATH))
    book.failed(PATH, error, book.asked(PATH))
    assert book[PATH].state == state


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (AdapterFault.MISSING, "AdapterMissing"),
        (AdapterFault.INCOMPATIBLE, "BaseModelMismatch"),
        (AdapterFault.TOO_LARGE, "TooLarge"),
        (AdapterFault.REFUSED, "LoadFailed"),
    ],
)
def test_a_failure_has_the_reason_of_its_condition(book: AdapterRegistry, fault: AdapterFault, reason: str) -> None:
    book.failed(PATH, AdapterFailed(fault, "cause"), book.asked(PATH))
    assert book[PATH].fault == reason


def test_adapters_that_no_member_names_are_forgotten(book: AdapterRegistry) -> None:
    book.answered(PATH, 0, book.asked(PATH))
    book.keep(["/models/cfo"])
    assert (book.ready(), book.unproved()) == ([], ["/models/cfo"])


@pytest.mark.parametrize(("queue_ms", "load"), [(None, None), (19, None), (20, 20), (1999.6, 2000)])
def test_the_first_answer_tells_by_its_wait_in_the_queue_how_long_the_load_took(
    queue_ms: float | None, load: int | None
) -> None:
    assert load_ms(queue_ms) == load
