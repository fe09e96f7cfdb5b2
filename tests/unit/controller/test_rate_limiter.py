"""Of many edits in a row that replace pods the last one counts."""

from dataclasses import dataclass

from boardroom.controller.rate_limiter import BURST, SECONDS, RateLimiter

KEY = ("team", "executive")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_edits_do_not_wait() -> None:
    rate_limiter = RateLimiter(Clock())
    assert [rate_limiter.take(KEY) for _ in range(BURST + 1)] == [0.0, 0.0, 0.0, SECONDS]


def test_one_more_goes_through_after_a_while() -> None:
    clock = Clock()
    rate_limiter = RateLimiter(clock)
    for _ in range(BURST):
        rate_limiter.take(KEY)
    clock.now = 4.0
    assert rate_limiter.take(KEY) == SECONDS - 4.0
    clock.now = SECONDS
    assert [rate_limiter.take(KEY), rate_limiter.take(KEY)] == [0.0, SECONDS]


def test_a_board_that_was_quiet_for_long_has_no_more_than_a_burst() -> None:
    clock = Clock()
    rate_limiter = RateLimiter(clock)
    rate_limiter.take(KEY)
    clock.now = 1_000.0
    assert [rate_limiter.take(KEY) for _ in range(BURST + 1)] == [0.0, 0.0, 0.0, SECONDS]


def test_each_board_has_its_own_bucket() -> None:
    rate_limiter = RateLimiter(Clock())
    for _ in range(BURST + 1):
        rate_limiter.take(KEY)
    assert rate_limiter.take(("team", "finance")) == 0.0


def test_a_board_that_is_gone_is_forgotten() -> None:
    rate_limiter = RateLimiter(Clock())
    for _ in range(BURST):
        rate_limiter.take(KEY)
    rate_limiter.forget(KEY)
    assert rate_limiter.take(KEY) == 0.0
