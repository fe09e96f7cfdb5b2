"""Rollouts: one board after the other, however boards are created, deleted, fail or outlive an operator."""

from dataclasses import dataclass, field

import pytest

from boardroom.controller.rollouts import Rollouts, RolloutState, unfinished
from boardroom.kube.kinds import Key, Object
from unit.controller.objects import board_object, condition

A, B, C = ("team", "a"), ("team", "b"), ("team", "c")


@dataclass
class Clock:
    now: float = 0.0
    woken: list[Key] = field(default_factory=list)

    def rollouts(self, at_once: int = 1, remaining: tuple[Key, ...] = ()) -> Rollouts:
        return Rollouts(clock=lambda: self.now, wake=self.woken.append, unfinished=lambda: remaining, at_once=at_once)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_boards_roll_one_after_the_other(clock: Clock) -> None:
    rollouts = clock.rollouts()
    assert [rollouts.admit(board, 60) for board in (A, B, C)] == [
        RolloutState.ROLLING,
        RolloutState.WAITING,
        RolloutState.WAITING,
    ]
    rollouts.finish(A)
    assert clock.woken == [B]
    assert [rollouts.admit(board, 60) for board in (B, C)] == [RolloutState.ROLLING, RolloutState.WAITING]


def test_several_roll_at_once_where_that_is_wanted(clock: Clock) -> None:
    rollouts = clock.rollouts(at_once=2)
    assert [rollouts.admit(board, 60) for board in (A, B, C)] == [
        RolloutState.ROLLING,
        RolloutState.ROLLING,
        RolloutState.WAITING,
    ]


def test_a_board_rolls_until_it_finishes(clock: Clock) -> None:
    rollouts = clock.rollouts()
    assert [rollouts.admit(A, 60), rollouts.admit(A, 60), rollouts.is_rolling(A), rollouts.is_rolling(B)] == [
        RolloutState.ROLLING,
        RolloutState.ROLLING,
        True,
        False,
    ]


def test_a_board_that_is_never_done_holds_nobody_up_for_ever(clock: Clock) -> None:
    rollouts = clock.rollouts()
    assert [rollouts.admit(board, 60) for board in (A, B)] == [RolloutState.ROLLING, RolloutState.WAITING]
    clock.now = 59.0
    assert rollouts.admit(B, 60) is RolloutState.WAITING
    clock.now = 60.0
    assert [rollouts.admit(B, 60), rollouts.admit(A, 60)] == [RolloutState.ROLLING, RolloutState.WAITING]


def test_one_that_waits_and_goes_holds_nobody_up(clock: Clock) -> None:
    rollouts = clock.rollouts()
    for board in (A, B, C):
        rollouts.admit(board, 60)
    rollouts.finish(B)
    assert clock.woken == []
    rollouts.finish(A)
    assert clock.woken == [C]


def test_one_that_was_woken_for_nothing_wakes_the_next(clock: Clock) -> None:
    rollouts = clock.rollouts()
    for board in (A, B, C):
        rollouts.admit(board, 60)
    rollouts.finish(A)
    rollouts.finish(B)
    assert clock.woken == [B, C]


def test_a_rollout_is_bounded_and_admitting_again_does_not_extend_it(clock: Clock) -> None:
    rollouts = clock.rollouts()
    rollouts.admit(A, 60)
    clock.now = 40
    rollouts.admit(A, 60)
    assert rollouts.remaining(A, 60) == 20


def test_a_board_that_knows_nothing_of_it_wakes_nobody(clock: Clock) -> None:
    rollouts = clock.rollouts()
    rollouts.admit(A, 60)
    rollouts.admit(B, 60)
    rollouts.finish(C)
    assert (clock.woken, rollouts.is_rolling(A)) == ([], True)


def test_the_next_operator_waits_for_the_board_that_the_last_one_left_rolling(clock: Clock) -> None:
    rollouts = clock.rollouts(remaining=(A,))
    assert rollouts.admit(B, 60) == RolloutState.WAITING
    assert (rollouts.is_rolling(A), rollouts.remaining(A, 60)) == (True, 60)
    clock.now = 60
    assert rollouts.remaining(A, 60) == 0


def test_such_a_board_is_known_by_its_status() -> None:
    def board(name: str, reason: str) -> Object:
        made = board_object(status={"conditions": [condition("UpToDate", "False", reason)]})
        return made | {"metadata": made["metadata"] | {"name": name}}

    boards = [board("a", "RollingOut"), board("b", "WaitingForTurn"), board_object()]
    assert unfinished(boards) == [A]
