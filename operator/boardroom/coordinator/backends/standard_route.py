"""The route to standard inference."""

import asyncio

from boardroom.api.ask import EngineName
from boardroom.coordinator import spans
from boardroom.coordinator.backends.generation import GRACE_SECONDS, generate
from boardroom.coordinator.backends.outcome import Outcome, empty_response, failed
from boardroom.coordinator.backends.retry import OVERLOAD_WAITS, retry_on_overload
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.listener import MemberStream
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.errors import EngineError, EngineTimeout, Overloaded
from boardroom.engine.protocol import GenerationRequest, Inference
from boardroom.telemetry.tracing import OFF, Tracer


class StandardRoute:
    """The route to standard inference; long-lived. A request has the member's prompt and no adapter."""

    def __init__(self, engine: Inference, metrics: Metrics, tracer: Tracer = OFF) -> None:
        self.engine = engine
        self._metrics = metrics
        self._tracer = tracer

    async def generate(
        self, member: Member, request: GenerationRequest, deadline: float, stream: MemberStream | None
    ) -> Outcome:
        """Send a request, and repeat it after each 429 while there is time."""
        waits = iter(OVERLOAD_WAITS)
        while True:
            with spans.attempt(self._tracer, EngineName.STANDARD, agent=member.name, role=member.role) as span:
                outcome = await self._request(request, deadline, stream)
                spans.tell(span, outcome.result, cold_load=False, adapter=None)
            overloaded = isinstance(outcome.result, Overloaded)
            if not overloaded or not await retry_on_overload(waits, deadline, self._metrics):
                return outcome

    async def _request(self, request: GenerationRequest, deadline: float, stream: MemberStream | None) -> Outcome:
        loop = asyncio.get_running_loop()
        remaining = deadline - loop.time()
        if remaining <= 0:
            return failed(EngineTimeout("no time was left for standard inference"), loop.time(), EngineName.STANDARD)
        try:
            seconds = remaining + GRACE_SECONDS
            generation = await generate(self.engine, request, seconds, stream)
        except EngineError as failure:
            return failed(failure, loop.time(), EngineName.STANDARD)
        if not generation.text.strip():
            return empty_response(request, loop.time(), EngineName.STANDARD, stream)
        return Outcome(generation, loop.time(), engine=EngineName.STANDARD)
