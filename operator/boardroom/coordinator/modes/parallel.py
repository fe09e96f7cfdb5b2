"""parallel: everybody at once, in one LoRAX batch."""

from boardroom.api.ask import CoordinationMode
from boardroom.coordinator.deliberation import Agenda, Deliberation
from boardroom.coordinator.meeting import Meeting
from boardroom.coordinator.modes.registry import mode
from boardroom.coordinator.panel import Turn


@mode(CoordinationMode.PARALLEL)
async def parallel(meeting: Meeting, agenda: Agenda) -> Deliberation:
    """Every member gets the bare question."""
    return Deliberation(answers=await meeting.ask([Turn(seat, agenda.question) for seat in agenda.seats]))
