"""The conditions of a coordinator once its status has expired: no coordinator holds the board's Lease."""

from datetime import datetime
from typing import Final

from boardroom.api.conditions import COORDINATOR_NOT_READY, AgentCondition, BoardCondition, find, read
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.conditions import to_conditions
from boardroom.kube.kinds import Object

_EXPIRED: Final = ConditionValue(
    status="Unknown",
    reason=COORDINATOR_NOT_READY,
    message="no coordinator of the board leads, so its last status may be outdated: see CoordinatorReady of the "
    "Boardroom",
)
NO_LEADER: Final = ConditionValue(
    status="False",
    reason="NoLeader",
    message="its pod is up, but no coordinator renews its Lease: it hangs, can't reach the API server, or is refused "
    "there; see `kubectl logs`, and whether its network lets it reach the API server",
)


def has_coordinator_status(live: Object) -> bool:
    """Whether a coordinator has ever written this board's status."""
    return find(read(live.get("status", {}).get("conditions")), BoardCondition.LATENCY_HIGH) is not None


def expired_status(live: Object, type_: BoardCondition | AgentCondition, now: datetime) -> Object | None:
    """The status that the coordinators' field manager is to own; None if it is expired already or was never written.

    Figures of LoRAX are dropped; facts about the adapter's files stay.
    """
    status = live.get("status", {})
    before = read(status.get("conditions"))
    standing = find(before, type_)
    if standing is None or standing.reason == COORDINATOR_NOT_READY:
        return None
    generation = standing.observed_generation or live["metadata"]["generation"]
    adapter = {"adapter": status["adapter"]} if "adapter" in status else {}
    return {"conditions": to_conditions({str(type_): _EXPIRED}, generation, before, now), **adapter}
