"""From members' answers to votes, and from votes to the board's decision. Pure."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Final

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from boardroom.api.ask import AnswerStatus, Position, Verdict
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.deliberation.selection import Agent
from boardroom.coordinator.response import Decision, MemberAnswer, Quorum, Vote, Weights

MAX_RATIONALE_CHARS: Final = 2_000


class Ballot(BaseModel):
    """The JSON object that a member answers with."""

    model_config = ConfigDict(extra="ignore")

    position: Position
    confidence: Annotated[float, Field(ge=0, le=1)]
    rationale: Annotated[str, Field(min_length=1)]


SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "position": {"type": "string", "enum": [position.value for position in Position]},
        "confidence": {"type": "number", "enum": [tenths / 10 for tenths in range(11)]},
        "rationale": {"type": "string"},
    },
    "required": ["position", "confidence", "rationale"],
    "additionalProperties": False,
}
"""The schema for `response_format`. The schema has no bounds: LoRAX ignores a bound of a number, so the values are
enumerated, and a bound of length would freeze LoRAX for minutes, so the coordinator cuts the text.
"""


def parse_ballot(text: str) -> Ballot | str:
    """The ballot, or the reason why the text is no ballot. Code fences around the text are dropped."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        return Ballot.model_validate_json(bare)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{where}: {first['msg']}" if where else str(first["msg"])


def vote(agent: Agent, answer: MemberAnswer, retry_failure: str | None = None) -> Vote:
    """A member's vote. An answer that is no ballot is an abstention; without an answer, the position is None.

    `retry_failure` is the reason why the member gave no second answer when it was asked again for a ballot.
    """
    weight, veto = (agent.weight, agent.veto) if isinstance(agent, Member) else (0, False)
    cast = Vote(agent=agent.name, role=agent.role, position=None, weight=weight, veto=veto)
    if answer.status is not AnswerStatus.ANSWERED:
        return replace(cast, reason=answer.reason)
    ballot = parse_ballot(answer.text or "")
    if isinstance(ballot, str):
        why = f", also asked again: {ballot}"
        if retry_failure is not None:
            why = f": {ballot}; asked again, it gave no answer: {retry_failure}"
        return replace(cast, position=Position.ABSTAIN, reason=f"its answer is no vote{why}")
    rationale = ballot.rationale[:MAX_RATIONALE_CHARS]
    return replace(cast, position=ballot.position, confidence=ballot.confidence, rationale=rationale)


def decide(votes: Sequence[Vote], quorum_percent: int) -> Decision:
    """More weight for than against adopts, a tie does not; an opposing veto blocks; without quorum nothing counts."""
    weights = Weights(**{position.value: _weight(votes, position) for position in Position})
    total, present = sum(v.weight for v in votes), weights.support + weights.oppose + weights.abstain
    needed = math.ceil(total * quorum_percent / 100)
    quorum = Quorum(needed=needed, present=present, met=present >= needed and present > 0)
    vetoes = [v.agent for v in votes if v.veto and v.position is Position.OPPOSE]
    if not quorum.met:
        verdict = Verdict.NO_QUORUM
    elif weights.support <= weights.oppose:
        verdict = Verdict.REJECTED
    else:
        verdict = Verdict.VETOED if vetoes else Verdict.ADOPTED
    against = Position.OPPOSE if verdict is Verdict.ADOPTED else Position.SUPPORT
    return Decision(
        verdict=verdict,
        votes=list(votes),
        weights=weights,
        quorum=quorum,
        vetoes=vetoes,
        dissent=[v.agent for v in votes if v.position is against],
    )


def describe(decision: Decision) -> str:
    """The decision as text: the verdict, the count, and every member's position with its rationale."""
    count, quorum = decision.weights, decision.quorum
    head = (
        f"{decision.verdict.replace('_', ' ').capitalize()}: support {count.support}, oppose {count.oppose}, abstain "
        f"{count.abstain}; quorum {quorum.needed} {'met' if quorum.met else 'not met'} with {quorum.present}"
    )
    head += f"; veto of {', '.join(decision.vetoes)}" if decision.vetoes else ""
    return "\n\n".join([f"{head}.", *(_line(cast) for cast in decision.votes)])


def _line(cast: Vote) -> str:
    weight = f" (weight {cast.weight})" if cast.weight != 1 else ""
    return f"{cast.role}{weight}: {cast.position or 'no position'}. {cast.rationale or cast.reason or ''}".rstrip()


def _weight(votes: Sequence[Vote], position: Position) -> int:
    return sum(v.weight for v in votes if v.position is position)
