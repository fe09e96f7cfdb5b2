"""consensus: everybody votes on the question as a proposal, in one batch; the count decides, not an average."""

from typing import Final

from boardroom.api.ask import AnswerStatus, CoordinationMode
from boardroom.coordinator.deliberation.modes.registry import mode
from boardroom.coordinator.deliberation.panel import MemberPrompt
from boardroom.coordinator.deliberation.session import Session
from boardroom.coordinator.deliberation.types import Agenda, Deliberation
from boardroom.coordinator.deliberation.voting import SCHEMA, decide, describe, parse_ballot, vote

TASK: Final = (
    "Vote on this as a proposal to the board. Answer with one JSON object and nothing else: "
    '{"position": "support", "oppose" or "abstain", "confidence": a number from 0 to 1 in tenths, '
    '"rationale": one or two sentences}.'
)
AGAIN: Final = "Your last answer was no such JSON object ({why}). Give the JSON object only, and keep it short."


@mode(CoordinationMode.CONSENSUS)
async def consensus(session: Session, agenda: Agenda) -> Deliberation:
    """A member whose answer is no ballot is asked once more; a second failure is an abstention, with its reason."""
    prompt = f"{agenda.question}\n\n{TASK}"
    first = await session.round([MemberPrompt(agent, prompt, SCHEMA) for agent in agenda.agents], steps=2)
    unclear = {
        answer.agent: why
        for answer in first
        if answer.status is AnswerStatus.ANSWERED and isinstance(why := parse_ballot(answer.text or ""), str)
    }
    again = [agent for agent in agenda.agents if agent.name in unclear]
    prompts = [MemberPrompt(agent, f"{prompt}\n\n{AGAIN.format(why=unclear[agent.name])}", SCHEMA) for agent in again]
    second = await session.round(prompts) if prompts else []
    retried = {a.agent: a for a in second if a.status is AnswerStatus.ANSWERED}
    retry_failures = {a.agent: a.reason for a in second if a.status is not AnswerStatus.ANSWERED}
    answers = [retried.get(answer.agent, answer) for answer in first]
    votes = [
        vote(agent, answer, retry_failures.get(agent.name))
        for agent, answer in zip(agenda.agents, answers, strict=True)
    ]
    decision = decide(votes, agenda.quorum_percent)
    return Deliberation(answers=answers, reply=describe(decision), decision=decision)
