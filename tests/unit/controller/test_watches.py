"""A watch that delivers less than lists find is noticed; one without events is not."""

from dataclasses import dataclass

import pytest

from boardroom.controller.watch.watches import Watches
from boardroom.kube.kinds import POD, SERVICE, Object

WATCH = (POD, None)


def at(version: int) -> Object:
    return {"metadata": {"name": "x", "resourceVersion": str(version)}}


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_one_that_owes_for_too_long_is_dead_until_it_tells(clock: Clock) -> None:
    watches = Watches(clock, grace_seconds=10)
    watches.delivered(WATCH, at(5))
    watches.listed(WATCH, 7)
    clock.now = 10
    assert watches.stale() == []
    clock.now = 11
    assert watches.stale() == ["the watch of pods has not delivered for 11 s what a list found"]
    watches.delivered(WATCH, at(6))
    assert len(watches.stale()) == 1
    watches.delivered(WATCH, at(7))
    assert watches.stale() == []


def test_one_that_has_told_all_is_not(clock: Clock) -> None:
    watches = Watches(clock, grace_seconds=10)
    watches.delivered(WATCH, at(7))
    watches.listed(WATCH, 7)
    watches.listed((SERVICE, "team"), 0)
    clock.now = 1000
    assert watches.stale() == []


def test_what_the_next_list_finds_does_not_extend_its_time(clock: Clock) -> None:
    watches = Watches(clock, grace_seconds=10)
    watches.listed(WATCH, 7)
    clock.now = 8
    watches.listed(WATCH, 9)
    clock.now = 11
    assert len(watches.stale()) == 1


def test_one_owes_nothing_for_an_object_that_is_gone(clock: Clock) -> None:
    watches = Watches(clock, grace_seconds=10)
    watches.delivered(WATCH, at(5))
    watches.listed(WATCH, 7)
    watches.listed(WATCH, 5)
    clock.now = 11
    assert watches.stale() == []


def test_of_two_that_it_owes_the_one_that_is_left_is_owed_since_the_first(clock: Clock) -> None:
    watches = Watches(clock, grace_seconds=10)
    watches.listed(WATCH, 7)
    clock.now = 8
    watches.listed(WATCH, 6)
    clock.now = 11
    assert len(watches.stale()) == 1
    watches.delivered(WATCH, at(6))
    assert watches.stale() == []


def test_namespaces_have_watches_of_their_own(clock: Clock) -> None:
    watches = Watches(clock, grace_seconds=10)
    watches.listed((POD, "a"), 7)
    watches.listed((POD, "b"), 7)
    watches.delivered((POD, "a"), at(7))
    clock.now = 11
    assert watches.stale() == ["the watch of pods in b has not delivered for 11 s what a list found"]
