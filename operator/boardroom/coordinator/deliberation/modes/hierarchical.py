"""hierarchical: the members in one batch, then the chair makes one answer of theirs."""

from typing import Final

from boardroom.api.ask import CoordinationMode
from boardroom.coordinator.deliberation.modes.registry import mode
from boardroom.coordinator.deliberation.panel import MemberPrompt
from boardroom.coordinator.deliberation.session import Session
from boardroom.coordinator.deliberation.types import Agenda, Deliberation, prompt_with_answers

TASK: Final = "You chair this board: weigh what was said and give the board's one answer to the question."


@mode(CoordinationMode.HIERARCHICAL)
async def hierarchical(session: Session, agenda: Agenda) -> Deliberation:
    """The chair speaks once, last, and sees every answer; no member takes its place if the chair can't speak."""
    chair = agenda.chair
    members = [agent for agent in agenda.agents if agent.name != chair.name]
    answers = await session.round([MemberPrompt(agent, agenda.question) for agent in members], steps=2)
    [synthesis] = await session.round([MemberPrompt(chair, prompt_with_answers(agenda.question, answers, TASK))])
    return Deliberation(answers=[*answers, synthesis], reply=synthesis.text, chair=chair.name)
