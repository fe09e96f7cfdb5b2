"""A member's conditions: Accepted is the seat rule's verdict, Ready adds what the coordinator proved."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from boardroom.api.conditions import PREVIOUS, UNHEARD, AgentCondition, Condition, find
from boardroom.api.membership import BOARD_NOT_FOUND, Verdict
from boardroom.api.resources import BoardAgent
from boardroom.api.status import MemberStatus
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.conditions import stalled, to_conditions
from boardroom.kube.kinds import Object

_LASTING: Final = frozenset({"BaseModelMismatch", "RankTooHigh", "TooLarge", "UnsupportedFeature"})
"""What is wrong with the adapter itself. What is missing, torn or out of reach may still be brought, or come again."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """An agent with its verdict and readiness."""

    agent: BoardAgent
    verdict: Verdict
    ready: ConditionValue

    @property
    def status(self) -> MemberStatus:
        """The line about it in its board's status."""
        return MemberStatus(
            name=self.agent.metadata.name,
            role=self.agent.spec.role,
            ready=self.ready.is_true,
            reason=self.ready.reason,
        )


def member(agent: BoardAgent, verdict: Verdict) -> Member:
    """The agent as its board sees it."""
    return Member(agent=agent, verdict=verdict, ready=_readiness(agent, verdict))


def with_coordinator_not_ready(subject: Member, coordinator: ConditionValue) -> Member:
    """The member while the coordinator, whose word its readiness is, is not up: what was said last may not hold."""
    if not subject.verdict.accepted or (subject.ready.status == "Unknown" and subject.ready.reason != UNHEARD):
        return subject
    message = f"the coordinator is not up, so what it said last may no longer hold: {coordinator.message}"
    return replace(subject, ready=ConditionValue(status="Unknown", reason=UNHEARD, message=message))


def agent_status(subject: Member, now: datetime) -> Object:
    """All of a BoardAgent's status that the controller owns."""
    verdict = subject.verdict
    accepted = ConditionValue(
        status="True" if verdict.accepted else "False", reason=verdict.reason, message=verdict.message, stalled=False
    )
    agent = subject.agent
    return _status(subject.ready, accepted, agent.metadata.generation, agent.status.conditions, now)


def rejected_agent_status(verdict: Verdict, generation: int, before: tuple[Condition, ...], now: datetime) -> Object:
    """The same of an agent that has no board, or that can't even be read."""
    return _status(_rejection(verdict), _rejection(verdict), generation, before, now)


def _status(
    ready: ConditionValue, accepted: ConditionValue, generation: int, before: tuple[Condition, ...], now: datetime
) -> Object:
    found = {AgentCondition.READY: ready, AgentCondition.STALLED: stalled(ready), AgentCondition.ACCEPTED: accepted}
    conditions = to_conditions({str(type_): value for type_, value in found.items()}, generation, before, now)
    return {"observedGeneration": generation, "conditions": conditions}


def _rejection(verdict: Verdict) -> ConditionValue:
    """Somebody has to make room, or mend a spec; only a board may still come by itself."""
    stalled_ = verdict.reason != BOARD_NOT_FOUND
    return ConditionValue(status="False", reason=verdict.reason, message=verdict.message, stalled=stalled_)


def _readiness(agent: BoardAgent, verdict: Verdict) -> ConditionValue:
    if not verdict.accepted:
        return _rejection(verdict)
    proof = find(agent.status.conditions, AgentCondition.ADAPTER_READY)
    if proof is None or proof.status == "Unknown":
        message = proof.message if proof else "the coordinator has not tried the adapter yet"
        return ConditionValue(status="Unknown", reason=proof.reason if proof else "NotProved", message=message)
    if (proof.observed_generation or 0) < agent.metadata.generation:
        message = "the coordinator has not tried the adapter since spec changed"
        return ConditionValue(status="Unknown", reason="NotProved", message=message)
    if proof.status == "False":
        stalled_ = proof.reason in _LASTING
        return ConditionValue(status="False", reason=proof.reason, message=proof.message, stalled=stalled_)
    if proof.reason == PREVIOUS:
        return ConditionValue(status="True", reason=proof.reason, message=proof.message)
    return ConditionValue(status="True", reason="Ready", message=f"answers as {agent.spec.role}")
