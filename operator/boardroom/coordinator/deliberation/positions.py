"""When a member has changed its position from one round to the next: a rule on its text alone. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from boardroom.api.ask import MAX_ROUND_CHARS, AnswerStatus
from boardroom.coordinator.response import MemberAnswer, Round, RoundAnswer

KEEP: Final = "UNCHANGED"
"""A member that begins its text with this word keeps its position."""

_WORD: Final = re.compile(r"\w+")


def keeps_position(before: str, now: str) -> bool:
    """The position is kept: `now` begins with KEEP, or has the words of `before`; case and punctuation don't count."""
    words = _words(now)
    return words[:1] == [KEEP.lower()] or words == _words(before)


def current_position(before: MemberAnswer, now: MemberAnswer) -> MemberAnswer:
    """A member's position after a round: what it says now, unless it keeps the one before or says nothing."""
    if before.status is not AnswerStatus.ANSWERED:
        return now
    if now.status is not AnswerStatus.ANSWERED or keeps_position(before.text or "", now.text or ""):
        return before
    return now


def round_record(before: Sequence[MemberAnswer | None], now: Sequence[MemberAnswer]) -> Round:
    """What was said in a round, each text cut to MAX_ROUND_CHARS; `before` holds None in the first round."""
    return Round(
        answers=[
            RoundAnswer(
                agent=said.agent,
                role=said.role,
                status=said.status,
                text=said.text[:MAX_ROUND_CHARS] if said.text is not None else None,
                changed=None if old is None else _changed(old, said),
                reason=said.reason,
            )
            for old, said in zip(before, now, strict=True)
        ]
    )


def _changed(before: MemberAnswer, now: MemberAnswer) -> bool:
    return now.status is AnswerStatus.ANSWERED and current_position(before, now) is now


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
