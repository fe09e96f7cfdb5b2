"""collaborative: rounds until no member changes position. Each is a batch in which members see the last positions."""

from typing import Final

from boardroom.api.ask import CoordinationMode
from boardroom.coordinator.deliberation.modes.registry import mode
from boardroom.coordinator.deliberation.panel import MemberPrompt
from boardroom.coordinator.deliberation.positions import KEEP, current_position, round_record
from boardroom.coordinator.deliberation.session import Session, with_text
from boardroom.coordinator.deliberation.types import Agenda, Deliberation, prompt_with_answers
from boardroom.coordinator.response import MemberAnswer, Round

TASK: Final = (
    f"Reconsider your position in view of the others'. If you keep it, answer with the one word {KEEP}; "
    "else state your new position in full."
)

FIRST: Final = "State your own position in full, in view of the others'."


@mode(CoordinationMode.COLLABORATIVE)
async def collaborative(session: Session, agenda: Agenda) -> Deliberation:
    """Each member's answer is the last position that it stated. A round without a text changes nothing. The prompt of a
    member without a position does not offer to keep one.
    """
    positions: list[MemberAnswer] = []
    rounds: list[Round] = []
    for steps in range(agenda.rounds, 0, -1):
        kept = prompt_with_answers(agenda.question, positions, TASK)
        first = prompt_with_answers(agenda.question, positions, FIRST)
        stated = {position.agent for position in with_text(positions)}
        prompts = [MemberPrompt(agent, kept if agent.name in stated else first) for agent in agenda.agents]
        answers = await session.round(prompts, steps=steps)
        rounds.append(round_record(positions or [None] * len(answers), answers))
        positions = [current_position(*pair) for pair in zip(positions, answers, strict=True)] if positions else answers
        if not any(a.changed is not False for a in rounds[-1].answers):
            break
    return Deliberation(answers=positions, rounds=rounds)
