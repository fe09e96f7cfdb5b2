"""consensus: everybody votes on the question as a proposal, in one batch; the count decides, not an average."""

from typing import Final

from boardroom.api.ask import AnswerStatus, CoordinationMode
from boardroom.coordinator.deliberation.modes.registry import mode
from boardroom.coordinator.deliberation.panel import MemberPrompt
from boardroom.coordinator.deliberation.session import Session
from boardroom.coordinator.deliberation.types import Agenda, Deliberation
from boardroom.coordinator.deliberation.voting import SCHEMA, decide, read, told, vote

TASK: Final = (
    "Vote on this as a proposal to the board. Answer with one JSON object and nothing else: "
    '{"position": "support", "oppose" or "abstain", "confidence": a number from 0 to 1 in tenths, '
    '"rationale": one or two sentences}.'
)
AGAIN: Final = "Your last answer was no such JSON object ({why}). Give the JSON object only, and keep it short."


@mode(CoordinationMode.CONSENSUS)
async def consensus(meeting: Session, agenda: Agenda) -> Deliberation:
    """Who answers with something else is asked once more; a second failure is an abstention, with its reason."""
    prompt = f"{agenda.question}\n\n{TASK}"
    said = await meeting.ask([MemberPrompt(seat, prompt, SCHEMA) for seat in agenda.seats], steps=2)
    unclear = {
        answer.agent: why
        for answer in said
        if answer.status is AnswerStatus.ANSWERED and isinstance(why := read(answer.text or ""), str)
    }
    again = [seat for seat in agenda.seats if seat.name in unclear]
    turns = [MemberPrompt(seat, f"{prompt}\n\n{AGAIN.format(why=unclear[seat.name])}", SCHEMA) for seat in again]
    second = await meeting.ask(turns) if turns else []
    mended = {a.agent: a for a in second if a.status is AnswerStatus.ANSWERED}
    broke = {a.agent: a.reason for a in second if a.status is not AnswerStatus.ANSWERED}
    answers = [mended.get(answer.agent, answer) for answer in said]
    votes = [vote(seat, answer, broke.get(seat.name)) for seat, answer in zip(agenda.seats, answers, strict=True)]
    decision = decide(votes, agenda.quorum_percent)
    return Deliberation(answers=answers, reply=told(decision), decision=decision)
