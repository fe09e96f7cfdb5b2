"""The breaker in front of LoRAX tells each turn once."""

from boardroom.coordinator.backends.circuit_breaker import CircuitBreaker


def test_a_breaker_begins_closed_and_a_reset_of_it_tells_nothing() -> None:
    turns: list[bool] = []
    breaker = CircuitBreaker(turns.append)
    breaker.reset()
    assert (breaker.reason, turns) == (None, [])


def test_it_opens_once_and_keeps_the_newest_reason() -> None:
    turns: list[bool] = []
    breaker = CircuitBreaker(turns.append)
    breaker.trip("no answer")
    breaker.trip("connection refused")
    assert (breaker.reason, turns) == ("connection refused", [True])


def test_it_closes_once() -> None:
    turns: list[bool] = []
    breaker = CircuitBreaker(turns.append)
    breaker.trip("no answer")
    breaker.reset()
    breaker.reset()
    assert (breaker.reason, turns) == (None, [True, False])
