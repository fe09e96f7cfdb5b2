"""parallel: everybody at once, in one LoRAX batch."""

from collections.abc import Sequence

from boardroom.api.ask import CoordinationMode, MemberAnswer
from boardroom.coordinator.modes.registry import mode
from boardroom.coordinator.panel import Panel, Turn
from boardroom.coordinator.selection import Seat


@mode(CoordinationMode.PARALLEL)
async def parallel(panel: Panel, seats: Sequence[Seat], question: str) -> list[MemberAnswer]:
    """Every member gets the bare question."""
    return await panel.ask([Turn(seat, question) for seat in seats])
