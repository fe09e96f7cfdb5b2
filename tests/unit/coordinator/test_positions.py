"""When a member keeps its position."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boardroom.api.ask import AnswerStatus
from boardroom.coordinator.deliberation.positions import current_position, keeps_position
from boardroom.coordinator.response import MemberAnswer


@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [
        ("Grow.", "grow", True),
        ("Grow slowly", "Grow\n  SLOWLY!", True),
        ("Grow", "UNCHANGED", True),
        ("Grow", "  **Unchanged** - grow", True),
        ("Grow", "I am unchanged", False),
        ("Grow", "Grow slowly", False),
        ("成長", "成長。", True),
        ("成長", "縮小", False),
    ],
)
def test_a_position_is_kept_when_its_words_are(before: str, now: str, kept: bool) -> None:
    assert keeps_position(before, now) is kept


@given(st.text(), st.text())
def test_a_position_always_is_one_of_the_two_answers(before: str, now: str) -> None:
    first, second = (answer(text) for text in (before, now))
    assert current_position(first, second) is (first if keeps_position(before, now) else second)
    assert current_position(first, answer(None)) is first


def answer(text: str | None) -> MemberAnswer:
    status = AnswerStatus.FAILED if text is None else AnswerStatus.ANSWERED
    return MemberAnswer(agent="ceo", role="CEO", status=status, text=text)
