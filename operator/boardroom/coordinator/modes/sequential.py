"""sequential: one after another, each sees the answers before it. Never a batch."""

from collections.abc import Sequence

from boardroom.api.ask import AnswerStatus, CoordinationMode, MemberAnswer
from boardroom.coordinator.modes.registry import mode
from boardroom.coordinator.panel import Panel, Turn
from boardroom.coordinator.selection import Seat


@mode(CoordinationMode.SEQUENTIAL)
async def sequential(panel: Panel, seats: Sequence[Seat], question: str) -> list[MemberAnswer]:
    """A member that gives no answer is passed over; those after it don't see it."""
    answers: list[MemberAnswer] = []
    for seat in seats:
        answers += await panel.ask([Turn(seat, with_answers(question, answers))])
    return answers


def with_answers(question: str, answers: Sequence[MemberAnswer]) -> str:
    """The question, and under it what was said so far, each under its role."""
    said = [f"{a.role}: {a.text}" for a in answers if a.status is AnswerStatus.ANSWERED]
    return "\n\n".join([question, "The board has said so far:", *said]) if said else question
