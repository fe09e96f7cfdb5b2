"""The bodies of GET /v1/agents and GET /v1/health. Pure."""

from typing import Any

from boardroom.api.overview import AgentsResponse, HealthResponse
from boardroom.coordinator.backends.adapter_summary import AdapterAggregate, AdapterSummary
from boardroom.coordinator.board.roster import Member, Roster
from boardroom.coordinator.status.conditions import Observation, adapter_ready


def agents(roster: Roster, adapters: AdapterSummary, observation: Observation) -> AgentsResponse:
    """The members, whether each can answer and why, and the agents that are not accepted."""
    body = {
        "board": roster.board,
        "namespace": roster.namespace,
        "agents": [_agent(member, _aggregate(member, adapters), observation) for member in roster.members],
        "refused": [
            {"agent": r.name, "role": r.role, "reason": r.reason, "message": r.message} for r in roster.rejected
        ],
    }
    return AgentsResponse.model_validate(body)


def health(roster: Roster | None, problem: str, adapters: AdapterSummary, observation: Observation) -> HealthResponse:
    """The board's health, in the shape that callers of get_boardroom_status know."""
    paths = roster.adapter_ids if roster else set()
    lorax = {
        "running": observation.running,
        "total_adapters": len(paths),
        "loaded_adapters": len(paths & adapters.ready()),
        "metrics": observation.metrics.model_dump() if observation.metrics else {},
        "reason": observation.not_running_reason or None,
    }
    members = [(m, adapter_ready(m, _aggregate(m, adapters), observation)) for m in (roster.members if roster else ())]
    with_adapter = sum(c.status == "True" for _, c in members) if observation.running else 0
    answering = len(members) if observation.standard else with_adapter
    ready = observation.answers and answering > 0
    body = {
        "board": roster.board if roster else None,
        "namespace": roster.namespace if roster else None,
        "ready": ready,
        "reason": None if roster else problem,
        "standard_inference": observation.standard,
        "system_health": {
            "lorax": lorax,
            "members": {
                "total": len(members),
                "ready": answering,
                "refused": len(roster.rejected) if roster else 0,
            },
        },
    }
    return HealthResponse.model_validate(body)


def _agent(member: Member, aggregate: AdapterAggregate | None, observation: Observation) -> dict[str, Any]:
    condition = adapter_ready(member, aggregate, observation)
    state = aggregate.best if aggregate else None
    files = state.files if state else None
    return {
        "agent": member.name,
        "role": member.role,
        "domains": list(member.domains),
        "ready": observation.standard or (observation.running and condition.status == "True"),
        "reason": condition.reason,
        "message": condition.message + (files.progress if files else ""),
        "adapter": {
            "source": member.origin,
            "path": state.path,
            "revision": member.revision,
            "digest": files.digest if files else None,
            "rank": files.rank if files else None,
            "base_model": files.base_model if files else None,
        }
        if state
        else None,
    }


def _aggregate(member: Member, adapters: AdapterSummary) -> AdapterAggregate | None:
    return adapters[member.adapter_id] if member.adapter_id else None
