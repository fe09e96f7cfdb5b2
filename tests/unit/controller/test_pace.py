"""Of many edits in a row that replace pods the last one counts."""

from dataclasses import dataclass

from boardroom.controller.pace import BURST, SECONDS, Pace

KEY = ("team", "executive")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_edits_do_not_wait() -> None:
    pace = Pace(Clock())
    assert [pace.wait(KEY) for _ in range(BURST + 1)] == [0.0, 0.0, 0.0, SECONDS]


def test_one_more_goes_through_after_a_while() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(BURST):
        pace.wait(KEY)
    clock.now = 4.0
    assert pace.wait(KEY) == SECONDS - 4.0
    clock.now = SECONDS
    assert [pace.wait(KEY), pace.wait(KEY)] == [0.0, SECONDS]


def test_who_was_quiet_for_long_has_no_more_than_the_first_ones() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.wait(KEY)
    clock.now = 1_000.0
    assert [pace.wait(KEY) for _ in range(BURST + 1)] == [0.0, 0.0, 0.0, SECONDS]


def test_another_board_waits_for_nobody() -> None:
    pace = Pace(Clock())
    for _ in range(BURST + 1):
        pace.wait(KEY)
    assert pace.wait(("team", "finance")) == 0.0


def test_a_board_that_is_gone_is_forgotten() -> None:
    pace = Pace(Clock())
    for _ in range(BURST):
        pace.wait(KEY)
    pace.forget(KEY)
    assert pace.wait(KEY) == 0.0
