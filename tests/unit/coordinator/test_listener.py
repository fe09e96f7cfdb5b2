"""What the stream of one member passes on to a listener."""

from typing import Any
from unittest.mock import Mock, call

from boardroom.coordinator.listener import Listener, MemberStream


def stream() -> tuple[Any, MemberStream]:
    listener = Mock(spec=Listener)
    return listener, MemberStream(listener, "ceo")


def test_pieces_are_passed_on_and_empty_ones_are_not() -> None:
    listener, member = stream()
    for piece in ("we ", "", "grow"):
        member.text(piece)
    assert listener.mock_calls == [call.delta("ceo", "we "), call.delta("ceo", "grow")]


def test_a_failure_before_any_text_is_nothing_to_take_back() -> None:
    listener, member = stream()
    member.text("")
    member.failed("timeout")
    assert listener.mock_calls == []


def test_a_failure_after_text_takes_it_back_once() -> None:
    listener, member = stream()
    member.text("we")
    member.failed("timeout")
    member.failed("timeout")
    assert listener.mock_calls == [call.delta("ceo", "we"), call.restarted("ceo", "timeout")]
