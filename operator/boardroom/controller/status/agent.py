"""The conditions of a BoardAgent: Accepted is the verdict of admission, Ready adds AdapterReady of the coordinator."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from boardroom.api.conditions import COORDINATOR_NOT_READY, PREVIOUS, AgentCondition, Condition, find
from boardroom.api.membership import BOARD_NOT_FOUND, Verdict
from boardroom.api.resources import BoardAgent
from boardroom.api.status import MemberStatus
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.conditions import stalled, to_conditions
from boardroom.kube.kinds import Object

_LASTING: Final = frozenset({"BaseModelMismatch", "RankTooHigh", "TooLarge", "UnsupportedFeature"})
"""Reasons of AdapterReady=False that only new files end. An adapter that is missing or torn may still be uploaded."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """An agent with its verdict and readiness."""

    agent: BoardAgent
    verdict: Verdict
    ready: ConditionValue

    @property
    def status(self) -> MemberStatus:
        """The agent's entry in status.members of its board."""
        return MemberStatus(
            name=self.agent.metadata.name,
            role=self.agent.spec.role,
            ready=self.ready.is_true,
            reason=self.ready.reason,
        )


def build_member(agent: BoardAgent, verdict: Verdict) -> Member:
    """The agent with its readiness, as its own status has it."""
    return Member(agent=agent, verdict=verdict, ready=_readiness(agent, verdict))


def with_coordinator_not_ready(member: Member, coordinator: ConditionValue) -> Member:
    """The member while no coordinator is up: Ready is Unknown, as AdapterReady may be outdated."""
    if not member.verdict.accepted or (
        member.ready.status == "Unknown" and member.ready.reason != COORDINATOR_NOT_READY
    ):
        return member
    message = f"the coordinator is not up, so its last status may be outdated: {coordinator.message}"
    return replace(member, ready=ConditionValue(status="Unknown", reason=COORDINATOR_NOT_READY, message=message))


def agent_status(member: Member, now: datetime) -> Object:
    """The part of a BoardAgent's status that the controller owns."""
    verdict = member.verdict
    accepted = ConditionValue(
        status="True" if verdict.accepted else "False", reason=verdict.reason, message=verdict.message, stalled=False
    )
    agent = member.agent
    return _status(member.ready, accepted, agent.metadata.generation, agent.status.conditions, now)


def rejected_agent_status(verdict: Verdict, generation: int, before: tuple[Condition, ...], now: datetime) -> Object:
    """The same part for an agent that has no board or whose spec can't be read."""
    return _status(_rejection(verdict), _rejection(verdict), generation, before, now)


def _status(
    ready: ConditionValue, accepted: ConditionValue, generation: int, before: tuple[Condition, ...], now: datetime
) -> Object:
    values = {AgentCondition.READY: ready, AgentCondition.STALLED: stalled(ready), AgentCondition.ACCEPTED: accepted}
    conditions = to_conditions({str(type_): value for type_, value in values.items()}, generation, before, now)
    return {"observedGeneration": generation, "conditions": conditions}


def _rejection(verdict: Verdict) -> ConditionValue:
    """Stalled, as only an edit helps; but for a board that does not exist yet, which may still be created."""
    is_stalled = verdict.reason != BOARD_NOT_FOUND
    return ConditionValue(status="False", reason=verdict.reason, message=verdict.message, stalled=is_stalled)


def _readiness(agent: BoardAgent, verdict: Verdict) -> ConditionValue:
    if not verdict.accepted:
        return _rejection(verdict)
    adapter_ready = find(agent.status.conditions, AgentCondition.ADAPTER_READY)
    if adapter_ready is None or adapter_ready.status == "Unknown":
        message = adapter_ready.message if adapter_ready else "the coordinator has not tried the adapter yet"
        return ConditionValue(
            status="Unknown", reason=adapter_ready.reason if adapter_ready else "NotProved", message=message
        )
    if (adapter_ready.observed_generation or 0) < agent.metadata.generation:
        message = "the coordinator has not tried the adapter since spec changed"
        return ConditionValue(status="Unknown", reason="NotProved", message=message)
    if adapter_ready.status == "False":
        is_stalled = adapter_ready.reason in _LASTING
        return ConditionValue(
            status="False", reason=adapter_ready.reason, message=adapter_ready.message, stalled=is_stalled
        )
    if adapter_ready.reason == PREVIOUS:
        return ConditionValue(status="True", reason=adapter_ready.reason, message=adapter_ready.message)
    return ConditionValue(status="True", reason="Ready", message=f"answers as {agent.spec.role}")
