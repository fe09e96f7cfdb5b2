"""What becomes of a coordinator's word when none of the board has the say any more."""

from datetime import datetime
from typing import Final

from boardroom.api.conditions import UNHEARD, AgentCondition, BoardCondition, find, read
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.conditions import to_conditions
from boardroom.kube.kinds import Object

_EXPIRED: Final = ConditionValue(
    status="Unknown",
    reason=UNHEARD,
    message="no coordinator of the board leads, so what one said last may no longer hold: see CoordinatorReady of the "
    "Boardroom",
)
NO_LEADER: Final = ConditionValue(
    status="False",
    reason="NoLeader",
    message="its pod is up, but no coordinator renews its Lease: it hangs, can't reach the API server, or is refused "
    "there; see `kubectl logs`, and whether its network lets it reach the API server",
)


def has_coordinator_status(live: Object) -> bool:
    """Whether a coordinator has written into this board's status, ever."""
    return find(read(live.get("status", {}).get("conditions")), BoardCondition.LATENCY_HIGH) is not None


def expired_status(live: Object, type_: BoardCondition | AgentCondition, now: datetime) -> Object | None:
    """All that is to stand in a status of the coordinators', or None where it stands already, or they said nothing.

    What LoRAX did goes; what the adapter's files are stays.
    """
    status = live.get("status", {})
    before = read(status.get("conditions"))
    said = find(before, type_)
    if said is None or said.reason == UNHEARD:
        return None
    generation = said.observed_generation or live["metadata"]["generation"]
    adapter = {"adapter": status["adapter"]} if "adapter" in status else {}
    return {"conditions": to_conditions({str(type_): _EXPIRED}, generation, before, now), **adapter}
