"""Turns: one board after the other, however boards come, go, fail or are left behind by an operator that ended."""

from dataclasses import dataclass, field

import pytest

from boardroom.controller.rollouts import Rollouts, Turn, unfinished
from boardroom.kube.kinds import Key, Object
from unit.controller.objects import board_object, condition

A, B, C = ("team", "a"), ("team", "b"), ("team", "c")


@dataclass
class Clock:
    now: float = 0.0
    woken: list[Key] = field(default_factory=list)

    def rollouts(self, at_once: int = 1, left: tuple[Key, ...] = ()) -> Rollouts:
        return Rollouts(clock=lambda: self.now, wake=self.woken.append, unfinished=lambda: left, at_once=at_once)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_boards_roll_one_after_the_other(clock: Clock) -> None:
    rollouts = clock.rollouts()
    assert [rollouts.turn(board, 60) for board in (A, B, C)] == [Turn.ROLLING, Turn.WAITING, Turn.WAITING]
    rollouts.leave(A)
    assert clock.woken == [B]
    assert [rollouts.turn(board, 60) for board in (B, C)] == [Turn.ROLLING, Turn.WAITING]


def test_several_roll_at_once_where_that_is_wanted(clock: Clock) -> None:
    rollouts = clock.rollouts(at_once=2)
    assert [rollouts.turn(board, 60) for board in (A, B, C)] == [Turn.ROLLING, Turn.ROLLING, Turn.WAITING]


def test_a_board_keeps_its_turn_until_it_leaves(clock: Clock) -> None:
    rollouts = clock.rollouts()
    assert [rollouts.turn(A, 60), rollouts.turn(A, 60), rollouts.rolls(A), rollouts.rolls(B)] == [
        Turn.ROLLING,
        Turn.ROLLING,
        True,
        False,
    ]


def test_a_board_that_is_never_done_holds_nobody_up_for_ever(clock: Clock) -> None:
    rollouts = clock.rollouts()
    assert [rollouts.turn(board, 60) for board in (A, B)] == [Turn.ROLLING, Turn.WAITING]
    clock.now = 59.0
    assert rollouts.turn(B, 60) is Turn.WAITING
    clock.now = 60.0
    assert [rollouts.turn(B, 60), rollouts.turn(A, 60)] == [Turn.ROLLING, Turn.WAITING]


def test_one_that_waits_and_goes_holds_nobody_up(clock: Clock) -> None:
    rollouts = clock.rollouts()
    for board in (A, B, C):
        rollouts.turn(board, 60)
    rollouts.leave(B)
    assert clock.woken == []
    rollouts.leave(A)
    assert clock.woken == [C]


def test_one_that_was_woken_for_nothing_wakes_the_next(clock: Clock) -> None:
    rollouts = clock.rollouts()
    for board in (A, B, C):
        rollouts.turn(board, 60)
    rollouts.leave(A)
    rollouts.leave(B)
    assert clock.woken == [B, C]


def test_a_turn_is_bounded_and_asking_again_does_not_extend_it(clock: Clock) -> None:
    rollouts = clock.rollouts()
    rollouts.turn(A, 60)
    clock.now = 40
    rollouts.turn(A, 60)
    assert rollouts.left(A, 60) == 20


def test_a_board_that_knows_nothing_of_it_wakes_nobody(clock: Clock) -> None:
    rollouts = clock.rollouts()
    rollouts.turn(A, 60)
    rollouts.turn(B, 60)
    rollouts.leave(C)
    assert (clock.woken, rollouts.rolls(A)) == ([], True)


def test_the_next_operator_waits_for_the_board_that_the_last_one_left_in_its_turn(clock: Clock) -> None:
    rollouts = clock.rollouts(left=(A,))
    assert rollouts.turn(B, 60) == Turn.WAITING
    assert (rollouts.rolls(A), rollouts.left(A, 60)) == (True, 60)
    clock.now = 60
    assert rollouts.left(A, 60) == 0


def test_such_a_board_is_known_by_its_status() -> None:
    def board(name: str, reason: str) -> Object:
        made = board_object(status={"conditions": [condition("UpToDate", "False", reason)]})
        return made | {"metadata": made["metadata"] | {"name": name}}

    boards = [board("a", "RollingOut"), board("b", "WaitingForTurn"), board_object()]
    assert unfinished(boards) == [A]
