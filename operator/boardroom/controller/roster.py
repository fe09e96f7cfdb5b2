"""The agents of a board, each with the verdict of admission."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from boardroom.api.membership import Verdict, admit
from boardroom.api.model import problems
from boardroom.api.resources import BoardAgent
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.status.agent import Member, build_member
from boardroom.kube.kinds import Object


@dataclass(frozen=True, kw_only=True)
class Roster:
    """A board's agents: its members, the rejected ones, and those whose spec can't be read."""

    accepted: tuple[Member, ...]
    rejected: tuple[Member, ...]
    unreadable: tuple[tuple[Object, Verdict], ...]

    @property
    def rejection_reasons(self) -> dict[str, str]:
        """Why each agent that is no member was rejected, by name."""
        names = {m.agent.metadata.name: m.verdict.reason for m in self.rejected}
        return names | {obj["metadata"]["name"]: verdict.reason for obj, verdict in self.unreadable}


def roster(agents: Sequence[Object], blueprint: Blueprint) -> Roster:
    """The verdicts on these agents."""
    readable: list[BoardAgent] = []
    unreadable: list[tuple[Object, Verdict]] = []
    for obj in agents:
        if "deletionTimestamp" in obj["metadata"]:
            continue
        try:
            readable.append(BoardAgent.model_validate(obj))
        except ValidationError as error:
            message = f"{problems(error)}; mend spec, or install the CRDs of the operator's own version"
            unreadable.append((obj, Verdict(accepted=False, reason="InvalidSpec", message=message)))
    settings = blueprint.settings
    verdicts = admit(
        (agent.candidate for agent in readable),
        settings.max_members,
        settings.places,
        settings.requests,
        fetched=blueprint.spec.allows_fetched_adapters,
    )
    members = [build_member(agent, verdicts[agent.metadata.name]) for agent in readable]
    return Roster(
        accepted=tuple(m for m in members if m.verdict.accepted),
        rejected=tuple(m for m in members if not m.verdict.accepted),
        unreadable=tuple(unreadable),
    )
