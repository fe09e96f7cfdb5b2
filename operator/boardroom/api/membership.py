"""Membership of agents in a board: one rule for both the controller's conditions and the coordinator's roster."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from boardroom.api.boardagent import BoardAgentSpec

BOARD_NOT_FOUND: Final = "BoardroomNotFound"
CONCURRENCY_LIMIT: Final = "ConcurrencyLimit"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An agent that applies for membership. `created` is its creationTimestamp (RFC 3339, so text sorts as time)."""

    name: str
    created: str
    spec: BoardAgentSpec


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the agent is a member, with the reason and message of its Accepted condition."""

    accepted: bool
    reason: str
    message: str


def admit(
    candidates: Iterable[Candidate],
    max_members: int,
    places: int | None = None,
    requests: int | None = None,
    *,
    fetched: bool = True,
) -> dict[str, Verdict]:
    """A verdict for each candidate by its name. Older agents come first, by creation time and then by name.

    `places` is the number of adapters that LoRAX holds at once; None: no LoRAX. An adapter beyond this number would
    cause repeated evictions (docs/lorax.md#idle-eviction), and the base model answers a request that meets an eviction
    (docs/lorax.md#stale-adapter-race). `requests` is the number of requests that LoRAX answers at once
    (docs/lorax.md#concurrency-limit); None: no LoRAX. A question asks all members together, and an adapter whose
    request LoRAX refuses can't be loaded with the others. `fetched` says whether members may use fetched adapters.
    """
    verdicts: dict[str, Verdict] = {}
    members: dict[str, str] = {}
    loaded: set[str | None] = set()
    for candidate in sorted(candidates, key=lambda c: (c.created, c.name)):
        role = candidate.spec.role.lower()
        if role in members:
            verdicts[candidate.name] = Verdict(
                accepted=False,
                reason="DuplicateRole",
                message=f"spec.role {candidate.spec.role!r} is taken by BoardAgent {members[role]!r} "
                "(case is ignored): choose another role or delete one of the two",
            )
        elif len(members) >= max_members:
            verdicts[candidate.name] = Verdict(
                accepted=False,
                reason="BoardFull",
                message=f"the board has its {max_members} members: raise spec.maxMembers of the Boardroom or delete "
                "another BoardAgent",
            )
        elif requests is not None and len(members) >= requests:
            verdicts[candidate.name] = Verdict(
                accepted=False,
                reason=CONCURRENCY_LIMIT,
                message=f"LoRAX answers {requests} requests at once, a question asks every member at once, and members "
                "before this one take them: raise spec.lorax.maxConcurrentRequests of the Boardroom or delete another "
                "BoardAgent",
            )
        elif candidate.spec.adapter.source is not None and not fetched:
            verdicts[candidate.name] = Verdict(
                accepted=False,
                reason="NotPreloadable",
                message="the Boardroom's spec.lorax.adapterPolicy is Preloaded, and what spec.adapter names is fetched "
                "into an emptyDir, so it is not there when LoRAX starts: set spec.adapters.downloads.claimName, push "
                "the adapter to the board's volume (boardroom adapters push) and name it by path, or use Dynamic",
            )
        elif places is not None and len(loaded | {candidate.spec.adapter_key}) > places:
            verdicts[candidate.name] = Verdict(
                accepted=False,
                reason="NoAdapterPlace",
                message=f"LoRAX has {places} places for adapters (the base model takes one too if a member uses "
                "it), and members before this one take them: raise spec.lorax.adapterCacheSize of the Boardroom or "
                "delete another BoardAgent",
            )
        else:
            members[role] = candidate.name
            loaded.add(candidate.spec.adapter_key)
            verdicts[candidate.name] = Verdict(
                accepted=True, reason="Accepted", message=f"is a member as {candidate.spec.role}"
            )
    return verdicts


def unknown_board(board: str, namespace: str) -> Verdict:
    """The verdict on an agent whose board does not exist."""
    return Verdict(
        accepted=False,
        reason=BOARD_NOT_FOUND,
        message=f"spec.boardroomRef.name: there is no Boardroom {board!r} in namespace {namespace!r}; create it, or "
        "delete this BoardAgent and create it for another board",
    )
