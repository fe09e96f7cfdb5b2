"""GET /v1/agents and GET /v1/health. Pure."""

from typing import Any

from boardroom.api.overview import AgentsResponse, HealthResponse
from boardroom.coordinator.backends.adapter_summary import Books, Proof
from boardroom.coordinator.board.roster import Member, Roster
from boardroom.coordinator.status.conditions import Observation, adapter_ready


def agents(roster: Roster, books: Books, seen: Observation) -> AgentsResponse:
    """The members, whether each can answer and why, and those without a seat."""
    found = {
        "board": roster.board,
        "namespace": roster.namespace,
        "agents": [_agent(member, _proof(member, books), seen) for member in roster.members],
        "refused": [
            {"agent": r.name, "role": r.role, "reason": r.reason, "message": r.message} for r in roster.rejected
        ],
    }
    return AgentsResponse.model_validate(found)


def health(roster: Roster | None, problem: str, books: Books, seen: Observation) -> HealthResponse:
    """The board's health, in the shape that callers of get_boardroom_status know."""
    paths = roster.adapter_ids if roster else set()
    lorax = {
        "running": bool(seen.running),
        "total_adapters": len(paths),
        "loaded_adapters": len(paths & books.ready()),
        "metrics": seen.metrics.model_dump() if seen.metrics else {},
        "reason": seen.reason or None,
    }
    members = [(m, adapter_ready(m, _proof(m, books), seen)) for m in (roster.members if roster else ())]
    proved = sum(c.status == "True" for _, c in members) if seen.running else 0
    answering = len(members) if seen.standard else proved
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


def _agent(member: Member, proof: Proof | None, seen: Observation) -> dict[str, Any]:
    condition = adapter_ready(member, proof, seen)
    record = proof.record if proof else None
    finding = record.finding if record else None
    return {
        "agent": member.name,
        "role": member.role,
        "domains": list(member.domains),
        "ready": seen.standard or (bool(seen.running) and condition.status == "True"),
        "reason": condition.reason,
        "message": condition.message + (finding.progress if finding else ""),
        "adapter": {
            "source": member.origin,
            "path": record.path,
            "revision": member.revision,
            "digest": finding.digest if finding else None,
            "rank": finding.rank if finding else None,
            "base_model": finding.base_model if finding else None,
        }
        if record
        else None,
    }


def _proof(member: Member, books: Books) -> Proof | None:
    return books[member.adapter_id] if member.adapter_id else None
