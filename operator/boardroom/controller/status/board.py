"""A board's conditions: a chain of policies from the observed state to one reason for Ready."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from boardroom.api.conditions import BoardCondition, Condition
from boardroom.api.status import LoraxReplicas
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.coordinator import endpoint
from boardroom.controller.rollouts import RolloutState
from boardroom.controller.status.agent import Member
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.conditions import stalled, to_conditions
from boardroom.kube.kinds import Object

_MAX_MEMBERS_SHOWN: Final = 512


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The observed state of a board. `rejected` has the agents that are no members, each with the reason."""

    lorax: ConditionValue
    coordinator: ConditionValue
    members: Sequence[Member]
    rejected: Mapping[str, str] = field(default_factory=dict)
    coordinator_may_expire: bool = False
    """Whether no coordinator is up and status that one wrote is still valid: its Lease may expire without an event."""
    obstacle: ConditionValue | None = None
    """Why not all objects could be written."""
    replicas: LoraxReplicas | None = None
    """LoRAX's pods; None if the board runs without LoRAX."""
    enabled: bool = True
    suspended: bool = False
    standard: bool = False
    """Whether the board has standard inference."""
    rollout: RolloutState = RolloutState.UP_TO_DATE
    """Whether the operator's own changes have reached the board."""
    contested: str = ""
    """The message about fields that another writer keeps overwriting; empty if none."""
    missing_chair: str = ""
    """The BoardAgent that spec.deliberation.chairRef names and that is no member."""


_NO_ENGINE: Final = ConditionValue(
    status="False",
    reason="NoEngine",
    message="LoRAX is off and the board has no other engine: set spec.enableLorax: true, or spec.standardInference",
    stalled=True,
)
DISABLED: Final = ConditionValue(
    status="False", reason="Disabled", message="spec.enableLorax (or the operator's AOS_ENABLE_LORAX) is false"
)


def suspended(pods: Sequence[Object]) -> ConditionValue:
    """LoraxReady of a suspended board; `pods` are the LoRAX pods that still exist."""
    resume = "set spec.suspend: false to resume"
    if pods:
        message = f"spec.suspend is true: LoRAX's pod ends and then its GPU is free; {resume}"
    else:
        message = f"spec.suspend is true: no GPU is held and LoRAX answers no questions; {resume}"
    return ConditionValue(status="False", reason="Suspended", message=message, changing=bool(pods))


_ROLLOUT_VALUES: Final[Mapping[RolloutState, ConditionValue]] = {
    RolloutState.UP_TO_DATE: ConditionValue(
        status="True", reason=RolloutState.UP_TO_DATE, message="the board's objects are as this operator makes them"
    ),
    RolloutState.WAITING: ConditionValue(
        status="False",
        reason=RolloutState.WAITING,
        message="the operator's version or its AOS_* defaults changed, and the board's pods are to be replaced: boards "
        "go one after the other, and this one still waits",
    ),
    RolloutState.ROLLING: ConditionValue(
        status="False",
        reason=RolloutState.ROLLING,
        message="the operator's version or its AOS_* defaults changed, and the board's pods are being replaced: other "
        "boards wait until it is Ready again",
    ),
}


def is_settled(observed: Observed) -> bool:
    """Whether the board is Ready and nothing is under way."""
    ready = _ready_value(observed)
    return ready.is_true and not ready.changing


def board_status(blueprint: Blueprint, observed: Observed, before: tuple[Condition, ...], now: datetime) -> Object:
    """The part of a Boardroom's status that the controller owns; a field that is left out is removed."""
    metadata = blueprint.board.metadata
    return {
        "observedGeneration": metadata.generation,
        "conditions": to_conditions(condition_values(observed), metadata.generation, before, now),
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
    """The status of a board whose spec can't be read: it waits for an edit, and its objects stay as they are."""
    message = f"{problem}; mend spec, or install the CRDs of the operator's own version"
    bad = ConditionValue(status="False", reason="InvalidSpec", message=message, stalled=True)
    unknown = ConditionValue(status="Unknown", reason="InvalidSpec", message="spec can't be read")
    aspects = dict.fromkeys(
        (BoardCondition.LORAX_READY, BoardCondition.COORDINATOR_READY, BoardCondition.AGENTS_READY), unknown
    )
    conditions = to_conditions(_summary_values(bad) | {str(t): f for t, f in aspects.items()}, generation, before, now)
    return {"observedGeneration": generation, "conditions": conditions}


def condition_values(observed: Observed) -> dict[str, ConditionValue]:
    """Every condition of a board that the controller owns, by type."""
    ready, rollout = _ready_value(observed), _rollout_state(observed)
    waits = observed.rollout is RolloutState.WAITING and not ready.stalled
    return {
        **_summary_values(ready),
        **({str(BoardCondition.RECONCILING): replace(rollout, status="True")} if waits else {}),
        str(BoardCondition.LORAX_READY): observed.lorax,
        str(BoardCondition.COORDINATOR_READY): observed.coordinator,
        str(BoardCondition.AGENTS_READY): _agents(observed),
        str(BoardCondition.UP_TO_DATE): rollout,
    }


def _rollout_state(observed: Observed) -> ConditionValue:
    """UpToDate. A contest stops no rollout and no answers, so that it shows here only."""
    if observed.contested and observed.rollout is RolloutState.UP_TO_DATE:
        return ConditionValue(status="False", reason="FieldsContested", message=observed.contested)
    return _ROLLOUT_VALUES[observed.rollout]


def _ready_value(observed: Observed) -> ConditionValue:
    return next(value for policy in _POLICIES if (value := policy(observed)) is not None)


def _summary_values(ready: ConditionValue) -> dict[str, ConditionValue]:
    """Ready, and Reconciling and Stalled, which kstatus reads too."""
    busy = (not ready.is_true or ready.changing) and not ready.stalled
    return {
        str(BoardCondition.READY): ready,
        str(BoardCondition.RECONCILING): ConditionValue(
            status="True" if busy else "False",
            reason=ready.reason if busy else "Settled",
            message=ready.message if busy else "nothing is under way",
        ),
        str(BoardCondition.STALLED): stalled(ready),
    }


def _obstacle(observed: Observed) -> ConditionValue | None:
    return observed.obstacle


def _suspended(observed: Observed) -> ConditionValue | None:
    """Ready, as the user asked for it; under way until the last pod has released its GPU."""
    if not observed.suspended:
        return None
    lorax = observed.lorax
    return ConditionValue(status="True", reason="Suspended", message=lorax.message, changing=lorax.changing)


def _engine(observed: Observed) -> ConditionValue | None:
    """LoRAX or standard inference must answer.

    A board with standard inference alone is Ready, and Reconciling or Stalled as its LoRAX is: `kubectl wait` on an
    installation waits for the GPU.
    """
    if not observed.enabled:
        return None if observed.standard else _NO_ENGINE
    if observed.lorax.is_true:
        return None
    if not (observed.standard and observed.coordinator.is_true and observed.members):
        return _of("Lorax", observed.lorax)
    return ConditionValue(
        status="True",
        reason="StandardInferenceOnly",
        message=f"standard inference answers for all members while LoRAX does not: {observed.lorax.message}",
        stalled=observed.lorax.stalled,
        changing=True,
    )


def _coordinator(observed: Observed) -> ConditionValue | None:
    return None if observed.coordinator.is_true else _of("Coordinator", observed.coordinator)


def _members(observed: Observed) -> ConditionValue | None:
    agents = _agents(observed)
    return None if _ready(observed) else agents


def _ready_board(observed: Observed) -> ConditionValue:
    message = f"{_ready(observed)} of {len(observed.members)} members answer"
    parts = [part for part in (observed.lorax, observed.coordinator) if part.is_true]
    return ConditionValue(
        status="True",
        reason="Ready",
        message=message,
        stalled=any(part.stalled for part in parts),
        changing=any(part.changing for part in parts),
    )


_POLICIES: Final[tuple[Callable[[Observed], ConditionValue | None], ...]] = (
    _obstacle,
    _suspended,
    _engine,
    _coordinator,
    _members,
    _ready_board,
)


def _of(prefix: str, value: ConditionValue) -> ConditionValue:
    return ConditionValue(
        status=value.status, reason=f"{prefix}{value.reason}", message=value.message, stalled=value.stalled
    )


def _agents(observed: Observed) -> ConditionValue:
    rejected = _named(observed.rejected)
    beside = f"; refused: {rejected}" if rejected else ""
    if observed.missing_chair:
        beside += (
            f"; spec.deliberation.chairRef names BoardAgent {observed.missing_chair}, which is no member: another "
            "member takes the chair until it is"
        )
    if not observed.members:
        message = f"the board has no member: create a BoardAgent with spec.boardroomRef.name of this board{beside}"
        return ConditionValue(status="False", reason="NoMembers", message=message)
    waiting = {m.agent.metadata.name: m.ready.reason for m in observed.members if not m.ready.is_true}
    count = f"{_ready(observed)} of {len(observed.members)} members are ready"
    if not waiting:
        reason = "ChairNotSeated" if observed.missing_chair else "AllReady"
        return ConditionValue(status="True", reason=reason, message=count + beside)
    reason = "SomeNotReady" if _ready(observed) else "NoneReady"
    return ConditionValue(
        status="False",
        reason=reason,
        message=f"{count}; not ready: {_named(waiting)}{beside}",
        # A member that may still become ready makes the board Ready.
        stalled=all(member.ready.stalled for member in observed.members),
    )


def _named(reasons: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({reason})" for name, reason in sorted(reasons.items()))


def _ready(observed: Observed) -> int:
    return sum(m.ready.is_true for m in observed.members)
