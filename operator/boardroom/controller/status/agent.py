"""A member's conditions: Accepted is the seat rule's verdict, Ready adds what the coordinator proved."""

from dataclasses import dataclass, replace
from datetime import datetime

from boardroom.api.admission import Verdict
from boardroom.api.conditions import PREVIOUS, AgentCondition, Condition, find
from boardroom.api.resources import BoardAgent
from boardroom.api.status import MemberStatus
from boardroom.controller.kinds import Object
from boardroom.controller.status.conditions import stated
from boardroom.controller.status.finding import Finding


@dataclass(frozen=True, kw_only=True)
class Member:
    """An agent with its verdict and readiness."""

    agent: BoardAgent
    verdict: Verdict
    ready: Finding

    @property
    def status(self) -> MemberStatus:
        """The line about it in its board's status."""
        return MemberStatus(
            name=self.agent.metadata.name,
            role=self.agent.spec.role,
            ready=self.ready.good,
            reason=self.ready.reason,
        )


def member(agent: BoardAgent, verdict: Verdict) -> Member:
    """The agent as its board sees it."""
    return Member(agent=agent, verdict=verdict, ready=_readiness(agent, verdict))


def unheard(subject: Member, coordinator: Finding) -> Member:
    """The member while the coordinator, whose word its readiness is, is not up: what was said last may not hold."""
    if not subject.verdict.accepted or subject.ready.status == "Unknown":
        return subject
    message = f"the coordinator is not up, so what it said last may no longer hold: {coordinator.message}"
    return replace(subject, ready=Finding(status="Unknown", reason="CoordinatorNotReady", message=message))


def agent_status(subject: Member, now: datetime) -> Object:
    """All of a BoardAgent's status that the controller owns."""
    verdict = subject.verdict
    accepted = Finding(
        status="True" if verdict.accepted else "False", reason=verdict.reason, message=verdict.message, stalled=False
    )
    findings = {AgentCondition.READY: subject.ready, AgentCondition.ACCEPTED: accepted}
    return unreadable_agent_status(findings, subject.agent.metadata.generation, subject.agent.status.conditions, now)


def unreadable_agent_status(
    findings: dict[AgentCondition, Finding], generation: int, before: tuple[Condition, ...], now: datetime
) -> Object:
    """The same for findings about an agent that may not even be readable."""
    conditions = stated({str(type_): finding for type_, finding in findings.items()}, generation, before, now)
    return {"observedGeneration": generation, "conditions": conditions}


def _readiness(agent: BoardAgent, verdict: Verdict) -> Finding:
    if not verdict.accepted:
        return Finding(status="False", reason=verdict.reason, message=verdict.message)
    proof = find(agent.status.conditions, AgentCondition.ADAPTER_READY)
    if proof is None or proof.status == "Unknown":
        message = proof.message if proof else "the coordinator has not tried the adapter yet"
        return Finding(status="Unknown", reason=proof.reason if proof else "NotProved", message=message)
    if (proof.observed_generation or 0) < agent.metadata.generation:
        message = "the coordinator has not tried the adapter since spec changed"
        return Finding(status="Unknown", reason="NotProved", message=message)
    if proof.status == "False":
        return Finding(status="False", reason=proof.reason, message=proof.message)
    if proof.reason == PREVIOUS:
        return Finding(status="True", reason=proof.reason, message=proof.message)
    return Finding(status="True", reason="Ready", message=f"answers as {agent.spec.role}")
