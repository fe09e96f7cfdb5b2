"""sequential: one after another, each sees the answers before it. Never a batch."""

from boardroom.api.ask import CoordinationMode
from boardroom.coordinator.deliberation.modes.registry import mode
from boardroom.coordinator.deliberation.panel import MemberPrompt
from boardroom.coordinator.deliberation.session import Session
from boardroom.coordinator.deliberation.types import Agenda, Deliberation, prompt_with_answers
from boardroom.coordinator.response import MemberAnswer


@mode(CoordinationMode.SEQUENTIAL)
async def sequential(session: Session, agenda: Agenda) -> Deliberation:
    """Later members do not see a member that gave no answer."""
    answers: list[MemberAnswer] = []
    for agent in agenda.agents:
        answers += await session.round([MemberPrompt(agent, prompt_with_answers(agenda.question, answers))])
    return Deliberation(answers=answers)
