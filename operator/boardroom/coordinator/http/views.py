"""GET /v1/agents and GET /v1/health. Pure."""

from typing import Any

from boardroom.api.overview import AgentsResponse, HealthResponse
from boardroom.coordinator.backends.adapter_summary import AdapterAggregate, AdapterSummary
from boardroom.coordinator.board.roster import Member, Roster
from boardroom.coordinator.status.conditions import Observation, adapter_ready


def agents(roster: Roster, adapters: AdapterSummary, seen: Observation) -> AgentsResponse:
    """The members, whether each can answer and why, and the agents that are not accepted."""
    found = {
        "board": roster.board,
        "namespace": roster.namespace,
        "agents": [_agent(member, _aggregate(member, adapters), seen) for member in roster.members],
        "refused": [
            {"agent": r.name, "role": r.role, "reason": r.reason, "message": r.message} for r in roster.rejected
        ],
    }
    return AgentsResponse.model_validate(found)


def health(roster: Roster | None, problem: str, adapters: AdapterSummary, seen: Observation) -> HealthResponse:
    """The board's health, in the shape that callers of get_boardroom_status know."""
    paths = roster.adapter_ids if roster else set()
    lorax = {
        "running": seen.running,
        "total_adapters": len(paths),
        "loaded_adapters": len(paths & adapters.ready()),
        "metrics": seen.metrics.model_dump() if seen.metrics else {},
        "reason": seen.not_running_reason or None,
    }
    members = [(m, adapter_ready(m, _aggregate(m, adapters), seen)) for m in (roster.members if roster else ())]
    with_adapter = sum(c.status == "True" for _, c in members) if seen.running else 0
    answering = len(members) if seen.standard else with_adapter
    ready = seen.answers and answering > 0
    found = {
        "board": roster.board if roster else None,
        "namespace": roster.namespace if roster else None,
        "ready": ready,
        "reason": None if roster else problem,
        "standard_inference": seen.standard,
        "system_health": {
            "lorax": lorax,
            "members": {
                "total": len(members),
                "ready": answering,
                "refused": len(roster.rejected) if roster else 0,
            },
        },
    }
    return HealthResponse.model_validate(found)


def _agent(member: Member, aggregate: AdapterAggregate | None, seen: Observation) -> dict[str, Any]:
    condition = adapter_ready(member, aggregate, seen)
    state = aggregate.best if aggregate else None
    files = state.files if state else None
    return {
        "agent": member.name,
        "role": member.role,
        "domains": list(member.domains),
        "ready": seen.standard or (seen.running and condition.status == "True"),
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
