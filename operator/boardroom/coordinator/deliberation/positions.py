"""Whether a member changed its position from one round to the next, by its text alone. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from boardroom.api.ask import MAX_ROUND_CHARS, AnswerStatus
from boardroom.coordinator.response import MemberAnswer, Round, RoundAnswer

KEEP: Final = "UNCHANGED"
"""A member that begins its text with this word keeps its position."""

_WORD: Final = re.compile(r"\w+")


def keeps_position(before: str, now: str) -> bool:
    """Whether the text `now` begins with KEEP or has the words of `before`. Case and punctuation don't count."""
    words = _words(now)
    return words[:1] == [KEEP.lower()] or words == _words(before)


def current_position(before: MemberAnswer, now: MemberAnswer) -> MemberAnswer:
    """A member's position after a round: its new answer, unless it keeps the one before or has no text."""
    if before.status is not AnswerStatus.ANSWERED:
        return now
    if now.status is not AnswerStatus.ANSWERED or keeps_position(before.text or "", now.text or ""):
        return before
    return now


def round_record(before: Sequence[MemberAnswer | None], now: Sequence[MemberAnswer]) -> Round:
    """The record of a round, each text cut to MAX_ROUND_CHARS. `before` holds None in the first round."""
    return Round(
        answers=[
            RoundAnswer(
                agent=answer.agent,
                role=answer.role,
                status=answer.status,
                text=answer.text[:MAX_ROUND_CHARS] if answer.text is not None else None,
                changed=None if previous is None else _changed(previous, answer),
                reason=answer.reason,
            )
            for previous, answer in zip(before, now, strict=True)
        ]
    )


def _changed(before: MemberAnswer, now: MemberAnswer) -> bool:
    return now.status is AnswerStatus.ANSWERED and current_position(before, now) is now


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
