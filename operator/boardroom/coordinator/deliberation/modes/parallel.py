"""parallel: everybody at once, in one LoRAX batch."""

from boardroom.api.ask import CoordinationMode
from boardroom.coordinator.deliberation.modes.registry import mode
from boardroom.coordinator.deliberation.panel import MemberPrompt
from boardroom.coordinator.deliberation.session import Session
from boardroom.coordinator.deliberation.types import Agenda, Deliberation


@mode(CoordinationMode.PARALLEL)
async def parallel(session: Session, agenda: Agenda) -> Deliberation:
    """Every member gets the bare question."""
    return Deliberation(answers=await session.round([MemberPrompt(agent, agenda.question) for agent in agenda.agents]))
