"""What becomes of a coordinator's word when none of the board has the say any more."""

from datetime import datetime
from typing import Final

from boardroom.api.conditions import UNHEARD, AgentCondition, BoardCondition, find, read
from boardroom.controller.status.conditions import stated
from boardroom.controller.status.finding import Finding
from boardroom.kube.kinds import Object

_SILENCE: Final = Finding(
    status="Unknown",
    reason=UNHEARD,
    message="no coordinator of the board leads, so what one said last may no longer hold: see CoordinatorReady of the "
    "Boardroom",
)
NO_LEADER: Final = Finding(
    status="False",
    reason="NoLeader",
    message="its pod is up, but no coordinator renews its Lease: it hangs, can't reach the API server, or is refused "
    "there; see `kubectl logs`, and whether its network lets it reach the API server",
)


def spoken(live: Object) -> bool:
    """Whether a coordinator has written into this board's status, ever."""
    return find(read(live.get("status", {}).get("conditions")), BoardCondition.LATENCY_HIGH) is not None


def silenced(live: Object, type_: BoardCondition | AgentCondition, now: datetime) -> Object | None:
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
    return {"conditions": stated({str(type_): _SILENCE}, generation, before, now), **adapter}
