"""The members of a board: one Boardroom and its BoardAgents, reduced to what a question needs. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from pydantic import ValidationError

from boardroom.adapters.compatibility import AdapterPolicy
from boardroom.api.adapter import Source
from boardroom.api.ask import CoordinationMode
from boardroom.api.boardagent import GenerationSpec
from boardroom.api.conditions import Condition
from boardroom.api.conversation import ConversationsSpec
from boardroom.api.membership import admit
from boardroom.api.resources import BoardAgent, Boardroom
from boardroom.api.settings import Defaults, effective
from boardroom.api.status import BoardAgentStatus, BoardroomStatus

VOLUME: Final = "Volume"
"""The origin of adapters on the adapters volume."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """An agent that is a member of the board.

    `adapter` is the adapter's name below the mount; or else `source` is where the sidecar fetches the adapter from.
    `adapter_id` is the directory that LoRAX reads; `origin` and `revision` tell where its files came from.
    """

    name: str
    role: str
    domains: tuple[str, ...] = ()
    system_prompt: str = ""
    adapter: str | None = None
    source: Source | None = None
    adapter_id: str | None = None
    origin: str = VOLUME
    revision: str | None = None
    pending_adapter_id: str | None = None
    """The directory of the version that spec asks for, if another version serves until that one is ready."""
    pending_reason: str = ""
    """Why that version does not serve yet."""
    generation: GenerationSpec = field(default_factory=GenerationSpec)
    timeout_seconds: int | None = None
    weight: int = 1
    veto: bool = False
    uid: str = ""
    observed_generation: int = 0
    status: BoardAgentStatus = field(default_factory=BoardAgentStatus)


@dataclass(frozen=True, kw_only=True)
class RejectedAgent:
    """An agent of this board that is no member, and why."""

    name: str
    role: str
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Roster:
    """A board at one moment; `members` and `rejected` are sorted by name."""

    board: str
    namespace: str = "default"
    uid: str = ""
    observed_generation: int = 0
    root: str = ""
    """The path at which the adapters volume is mounted."""
    rules: AdapterPolicy = field(default_factory=AdapterPolicy)
    preloaded: bool = False
    """Whether LoRAX has only the adapters of its start: a new one serves after a restart."""
    base_model: str = ""
    lorax_enabled: bool = True
    suspended: bool = False
    latency_warning_ms: int = 500
    timeout_seconds: int = 120
    default_mode: CoordinationMode = CoordinationMode.PARALLEL
    chair_ref: str | None = None
    rounds: int = 3
    quorum_percent: int = 50
    conversations: ConversationsSpec = field(default_factory=ConversationsSpec)
    members: tuple[Member, ...] = ()
    rejected: tuple[RejectedAgent, ...] = ()
    status: BoardroomStatus = field(default_factory=BoardroomStatus)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions

    @cached_property
    def chair(self) -> Member | None:
        """The member that spec.deliberation.chairRef names, else the one with the role CEO, else the first by name.

        The chair chairs whether or not it is asked. None without members.
        """
        by_name = {m.name: m for m in self.members}
        by_role = {m.role.lower(): m for m in self.members}
        first = self.members[0] if self.members else None
        return by_name.get(self.chair_ref or "") or by_role.get("ceo") or first

    @property
    def adapter_ids(self) -> set[str]:
        """The adapters that serve the members."""
        return {m.adapter_id for m in self.members if m.adapter_id}

    @property
    def all_adapter_ids(self) -> set[str | None]:
        """The adapters that serve the members, those that are to once they are ready, and None if a member uses the
        base model.
        """
        pending = {m.pending_adapter_id for m in self.members if m.pending_adapter_id}
        return {m.adapter_id for m in self.members} | pending


def build(
    board: Boardroom, agents: Iterable[BoardAgent | RejectedAgent], defaults: Defaults, adapters_root: str | None = None
) -> Roster:
    """The roster of a board, by the controller's rule of membership. `adapters_root` stands in for the mount."""
    own = [a for a in agents if isinstance(a, RejectedAgent) or a.spec.boardroom_ref.name == board.metadata.name]
    present = {a.metadata.name: a for a in own if isinstance(a, BoardAgent) and not a.metadata.deletion_timestamp}
    settings = effective(board.spec, defaults)
    deliberation = board.spec.deliberation
    verdicts = admit(
        (a.candidate for a in present.values()),
        settings.max_members,
        settings.places,
        settings.requests,
        fetched=board.spec.allows_fetched_adapters,
    )
    root = (adapters_root or board.spec.adapters.mount_path).rstrip("/")
    rejected = [
        RejectedAgent(name=name, role=present[name].spec.role, reason=verdict.reason, message=verdict.message)
        for name, verdict in verdicts.items()
        if not verdict.accepted
    ]
    return Roster(
        board=board.metadata.name,
        namespace=board.metadata.namespace,
        uid=board.metadata.uid,
        observed_generation=board.metadata.generation,
        root=root,
        rules=AdapterPolicy.of(board.spec),
        preloaded=board.spec.lorax.preloads,
        base_model=board.spec.model.id,
        lorax_enabled=settings.enabled,
        suspended=board.spec.suspend,
        latency_warning_ms=board.spec.lorax.latency_warning_ms,
        timeout_seconds=board.spec.coordinator.request_timeout_seconds,
        default_mode=CoordinationMode(deliberation.default_mode.lower()),
        chair_ref=deliberation.chair_ref.name if deliberation.chair_ref else None,
        rounds=deliberation.rounds,
        quorum_percent=deliberation.quorum_percent,
        conversations=board.spec.coordinator.conversations,
        members=tuple(_member(present[name], root) for name in sorted(present) if verdicts[name].accepted),
        rejected=tuple(sorted([*rejected, *(a for a in own if isinstance(a, RejectedAgent))], key=lambda r: r.name)),
        status=board.status,
    )


def read_agent(live: Mapping[str, Any]) -> BoardAgent | RejectedAgent:
    """A live object as a BoardAgent; rejected with the reason if the model can't read it."""
    try:
        return BoardAgent.model_validate(live)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        role = live.get("spec", {}).get("role", "")
        return RejectedAgent(
            name=live["metadata"]["name"],
            role=role if isinstance(role, str) else "",
            reason="InvalidSpec",
            message=f"{where}: {first['msg']}; correct the BoardAgent",
        )


def _member(agent: BoardAgent, root: str) -> Member:
    spec = agent.spec
    path = spec.adapter_path
    return Member(
        name=agent.metadata.name,
        role=spec.role,
        domains=spec.domains,
        system_prompt=spec.system_prompt,
        adapter=path,
        source=spec.adapter.source,
        adapter_id=f"{root}/{path}" if path else None,
        generation=spec.generation,
        timeout_seconds=spec.timeout_seconds,
        weight=spec.weight,
        veto=spec.veto,
        uid=agent.metadata.uid,
        observed_generation=agent.metadata.generation,
        status=agent.status,
    )
