"""A board's conditions: a chain of policies from what was observed to one reason for Ready."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from boardroom.api.conditions import BoardCondition, Condition
from boardroom.api.status import LoraxReplicas
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.coordinator import endpoint
from boardroom.controller.rollouts import Turn
from boardroom.controller.status.agent import Member
from boardroom.controller.status.conditions import stalled, stated
from boardroom.controller.status.finding import Finding
from boardroom.kube.kinds import Object

_MAX_MEMBERS_SHOWN: Final = 512


@dataclass(frozen=True, kw_only=True)
class Observed:
    """All that the conditions are made of. `members` are the seated; `refused` names the rest, each with its reason."""

    lorax: Finding
    coordinator: Finding
    members: Sequence[Member]
    refused: Mapping[str, str] = field(default_factory=dict)
    obstacle: Finding | None = None
    """Why the objects could not all be written."""
    replicas: LoraxReplicas | None = None
    """LoRAX's pods; None where it has none."""
    enabled: bool = True
    suspended: bool = False
    standard: bool = False
    """Whether there is standard inference."""
    turn: Turn = Turn.UP_TO_DATE
    """Whether a change of the operator's own has reached the board."""
    contested: str = ""
    """Which fields of the board's objects another writer keeps setting otherwise, and who."""
    chairless: str = ""
    """The BoardAgent that spec.deliberation.chairRef names and that has no seat."""


_NO_ENGINE: Final = Finding(
    status="False",
    reason="NoEngine",
    message="LoRAX is off and the board has no other engine: set spec.enableLorax: true, or spec.standardInference",
    stalled=True,
)
DISABLED: Final = Finding(
    status="False", reason="Disabled", message="spec.enableLorax (or the operator's AOS_ENABLE_LORAX) is false"
)


def suspended(pods: Sequence[Object]) -> Finding:
    """LoRAX of a suspended board; `pods` are those of it that are still there."""
    resume = "set spec.suspend: false to resume"
    if pods:
        message = f"spec.suspend is true: LoRAX's pod ends and then its GPU is free; {resume}"
    else:
        message = f"spec.suspend is true: no GPU is held and LoRAX answers no questions; {resume}"
    return Finding(status="False", reason="Suspended", message=message, changing=bool(pods))


_TURNS: Final[Mapping[Turn, Finding]] = {
    Turn.UP_TO_DATE: Finding(
        status="True", reason=Turn.UP_TO_DATE, message="the board's objects are as this operator makes them"
    ),
    Turn.WAITING: Finding(
        status="False",
        reason=Turn.WAITING,
        message="the operator's version or its AOS_* defaults changed, and the board's pods are to be replaced: boards "
        "go one after the other, and this one still waits",
    ),
    Turn.ROLLING: Finding(
        status="False",
        reason=Turn.ROLLING,
        message="the operator's version or its AOS_* defaults changed, and the board's pods are being replaced: other "
        "boards wait until it is Ready again",
    ),
}


def settled(observed: Observed) -> bool:
    """Whether the board is Ready with nothing under way."""
    ready = _judged(observed)
    return ready.good and not ready.changing


def board_status(blueprint: Blueprint, observed: Observed, before: tuple[Condition, ...], now: datetime) -> Object:
    """All of a Boardroom's status that the controller owns, whole each time: what is left out would be removed."""
    metadata = blueprint.board.metadata
    return {
        "observedGeneration": metadata.generation,
        "conditions": stated(findings(observed), metadata.generation, before, now),
        "agents": f"{_ready(observed)}/{len(observed.members)}",
        "lorax": {
            "effective": blueprint.settings.to_object(),
            **({"replicas": observed.replicas.to_object()} if observed.replicas else {}),
        },
        "members": [m.status.to_object() for m in observed.members][:_MAX_MEMBERS_SHOWN],
        "endpoint": endpoint(metadata.name, metadata.namespace),
        "auth": blueprint.auth.to_object(),
    }


def invalid_status(problem: str, generation: int, before: tuple[Condition, ...], now: datetime) -> Object:
    """The status of a board whose spec can't be read: it waits for an edit, and nothing of it is touched."""
    message = f"{problem}; mend spec, or install the CRDs of the operator's own version"
    bad = Finding(status="False", reason="InvalidSpec", message=message, stalled=True)
    unknown = Finding(status="Unknown", reason="InvalidSpec", message="spec can't be read")
    aspects = dict.fromkeys(
        (BoardCondition.LORAX_READY, BoardCondition.COORDINATOR_READY, BoardCondition.AGENTS_READY), unknown
    )
    conditions = stated(_summary(bad) | {str(t): f for t, f in aspects.items()}, generation, before, now)
    return {"observedGeneration": generation, "conditions": conditions}


def findings(observed: Observed) -> dict[str, Finding]:
    """Every condition of a board that the controller owns."""
    ready, turn = _judged(observed), _turn(observed)
    waits = observed.turn is Turn.WAITING and not ready.stalled
    return {
        **_summary(ready),
        **({str(BoardCondition.RECONCILING): replace(turn, status="True")} if waits else {}),
        str(BoardCondition.LORAX_READY): observed.lorax,
        str(BoardCondition.COORDINATOR_READY): observed.coordinator,
        str(BoardCondition.AGENTS_READY): _agents(observed),
        str(BoardCondition.UP_TO_DATE): turn,
    }


def _turn(observed: Observed) -> Finding:
    """A contest stops no rollout, and keeps nobody from being answered."""
    if observed.contested and observed.turn is Turn.UP_TO_DATE:
        return Finding(status="False", reason="FieldsContested", message=observed.contested)
    return _TURNS[observed.turn]


def _judged(observed: Observed) -> Finding:
    return next(found for policy in _POLICIES if (found := policy(observed)) is not None)


def _summary(ready: Finding) -> dict[str, Finding]:
    """Ready and the two abnormal conditions that kstatus reads beside it."""
    busy = (not ready.good or ready.changing) and not ready.stalled
    return {
        str(BoardCondition.READY): ready,
        str(BoardCondition.RECONCILING): Finding(
            status="True" if busy else "False",
            reason=ready.reason if busy else "Settled",
            message=ready.message if busy else "nothing is under way",
        ),
        str(BoardCondition.STALLED): stalled(ready),
    }


def _obstacle(observed: Observed) -> Finding | None:
    return observed.obstacle


def _suspended(observed: Observed) -> Finding | None:
    """As it was asked to be, so Ready; under way until the last pod has let go of its GPU."""
    if not observed.suspended:
        return None
    lorax = observed.lorax
    return Finding(status="True", reason="Suspended", message=lorax.message, changing=lorax.changing)


def _engine(observed: Observed) -> Finding | None:
    """LoRAX, or standard inference: a board that is answered by the second alone is Ready, and Reconciling or Stalled
    as its LoRAX is, so that who waits for an installation waits for its GPU.
    """
    if not observed.enabled:
        return None if observed.standard else _NO_ENGINE
    if observed.lorax.good:
        return None
    if not (observed.standard and observed.coordinator.good and observed.members):
        return _of("Lorax", observed.lorax)
    return Finding(
        status="True",
        reason="StandardInferenceOnly",
        message=f"standard inference answers for all members while LoRAX does not: {observed.lorax.message}",
        stalled=observed.lorax.stalled,
        changing=True,
    )


def _coordinator(observed: Observed) -> Finding | None:
    return None if observed.coordinator.good else _of("Coordinator", observed.coordinator)


def _members(observed: Observed) -> Finding | None:
    agents = _agents(observed)
    return None if _ready(observed) else agents


def _ready_board(observed: Observed) -> Finding:
    message = f"{_ready(observed)} of {len(observed.members)} members answer"
    parts = [part for part in (observed.lorax, observed.coordinator) if part.good]
    return Finding(
        status="True",
        reason="Ready",
        message=message,
        stalled=any(part.stalled for part in parts),
        changing=any(part.changing for part in parts),
    )


_POLICIES: Final[tuple[Callable[[Observed], Finding | None], ...]] = (
    _obstacle,
    _suspended,
    _engine,
    _coordinator,
    _members,
    _ready_board,
)


def _of(prefix: str, finding: Finding) -> Finding:
    return Finding(
        status=finding.status, reason=f"{prefix}{finding.reason}", message=finding.message, stalled=finding.stalled
    )


def _agents(observed: Observed) -> Finding:
    refused = _named(observed.refused)
    beside = f"; refused: {refused}" if refused else ""
    if observed.chairless:
        beside += (
            f"; spec.deliberation.chairRef names BoardAgent {observed.chairless}, which has no seat: another member "
            "takes the chair until it has"
        )
    if not observed.members:
        message = f"no member has a seat: create a BoardAgent with spec.boardroomRef.name of this board{beside}"
        return Finding(status="False", reason="NoMembers", message=message)
    waiting = {m.agent.metadata.name: m.ready.reason for m in observed.members if not m.ready.good}
    count = f"{_ready(observed)} of {len(observed.members)} members are ready"
    if not waiting:
        reason = "ChairNotSeated" if observed.chairless else "AllReady"
        return Finding(status="True", reason=reason, message=count + beside)
    reason = "SomeNotReady" if _ready(observed) else "NoneReady"
    return Finding(
        status="False",
        reason=reason,
        message=f"{count}; not ready: {_named(waiting)}{beside}",
        stalled=all(m.ready.stalled for m in observed.members),  # one that may still answer would make it Ready
    )


def _named(reasons: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({reason})" for name, reason in sorted(reasons.items()))


def _ready(observed: Observed) -> int:
    return sum(m.ready.good for m in observed.members)
