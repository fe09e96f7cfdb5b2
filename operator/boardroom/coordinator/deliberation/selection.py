"""Selects the members for a question. Pure."""

from collections.abc import Iterable

from boardroom.api.ask import AskRequest
from boardroom.coordinator.board.roster import Member, RejectedAgent, Roster
from boardroom.coordinator.errors import UnknownAgent, UnknownDomain

Agent = Member | RejectedAgent
"""A rejected agent is chosen only by name or role, so that the answer says why it is absent."""


def select(request: AskRequest, roster: Roster) -> list[Agent]:
    """`agents` in the order asked; else `agent_id` first, then its `domain`; else the domain; else the whole board.

    Names and roles are taken in any case, a name before a role. Raises UnknownAgent and UnknownDomain.
    """
    if request.agents is not None:
        return _unique(_named(request.agents, roster, "agents"))
    chosen: list[Agent] = []
    if request.agent_id is not None:
        chosen += _named([request.agent_id], roster, "agent_id")
    if request.domain is not None:
        chosen += _of_domain(request.domain, roster)
    return _unique(chosen) if chosen else list(roster.members)


def _named(wanted: Iterable[str], roster: Roster, field: str) -> list[Agent]:
    agents: list[Agent] = [*roster.rejected, *roster.members]
    by_key = {a.role.lower(): a for a in agents} | {a.name.lower(): a for a in agents}
    unknown = [name for name in wanted if name.strip().lower() not in by_key]
    if unknown:
        raise UnknownAgent(
            f"board {roster.board!r} has no member {_listed(unknown)}; it has "
            f"{_listed(f'{m.name} ({m.role})' for m in roster.members) or 'no members'}",
            field=field,
        )
    return [by_key[name.strip().lower()] for name in wanted]


def _of_domain(domain: str, roster: Roster) -> list[Agent]:
    chosen: list[Agent] = [m for m in roster.members if domain.lower() in (d.lower() for d in m.domains)]
    if not chosen:
        domains = sorted({d for m in roster.members for d in m.domains})
        raise UnknownDomain(
            f"no member of board {roster.board!r} has the domain {domain!r}; its domains are "
            f"{_listed(domains) or 'none'}",
            field="domain",
        )
    return chosen


def _unique(agents: Iterable[Agent]) -> list[Agent]:
    return list({agent.name: agent for agent in agents}.values())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
