"""One member's way to an answer: LoRAX, and where that fails or is not wanted, standard inference."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from boardroom.coordinator.backends.pool import BackendPool
from boardroom.coordinator.backends.routes import LoraxRoute, Outcome, StandardRoute
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.listener import MemberStream
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.errors import EngineError, EngineTimeout, Unreachable
from boardroom.engine.protocol import GenerationRequest
from boardroom.telemetry.tracing import OFF, Tracer

LORAX_SHARE: Final = 0.7
"""Of a member's time, where standard inference may have to answer in the rest of it."""

_NO_SERVER: Final = Unreachable("LoRAX has no pod")


class Dispatcher:
    """One question's ways to the engines, which all questions share; at least one of the two is there."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        lorax: BackendPool | None = None,
        standard: StandardRoute | None = None,
        tracer: Tracer = OFF,
    ) -> None:
        self.metrics = metrics
        self.tracer = tracer
        self.lorax = lorax
        self.standard = standard

    def choose(self, members: Sequence[Member]) -> LoraxRoute | None:
        """The way of a batch of these members through LoRAX, for all of them the same; None where there is none."""
        return self.lorax.choose([m.adapter_id for m in members]) if self.lorax else None

    def why_not(self, member: Member, via: LoraxRoute | None, *, use_lorax: bool) -> str | None:
        """Why the member can't be asked at all, as far as known."""
        if self.standard is not None or self.lorax is None or not use_lorax:
            return None
        error = self._gate(member, via)
        return None if error is None else str(error)

    def by_lorax(self, member: Member, via: LoraxRoute | None, *, use_lorax: bool) -> bool:
        """Whether the member would be asked through LoRAX now."""
        return use_lorax and self._past_lorax(member, via) is None

    def check_schema(self, schema: Mapping[str, Any], *, use_lorax: bool) -> None:
        """Raises SchemaRefused where the engine that the question is for can't be sent it: LoRAX, also while it is down
        and standard inference stands in for it, so that the same question is answered alike tomorrow.
        """
        if self.lorax is not None and use_lorax:
            self.lorax.schema(schema)
        elif self.standard is not None:
            self.standard.engine.schema(schema)

    @property
    def down(self) -> bool:
        """Whether LoRAX is down and nothing stands in for it."""
        return self.standard is None and self.lorax is not None and self.lorax.breaker.reason is not None

    def why_held(self, task: asyncio.Task[Any]) -> str | None:
        """What keeps a run from being sent to LoRAX; None where nothing does."""
        gate = self.lorax.held.gate(task) if self.lorax else None
        return gate.why_held if gate else None

    async def run(
        self,
        member: Member,
        request: GenerationRequest,
        deadline: float,
        alone: asyncio.Lock,
        *,
        via: LoraxRoute | None,
        use_lorax: bool = True,
        hearing: MemberStream | None = None,
    ) -> Outcome:
        """Ask one member; `alone` is held by the question's retries, so that each of them is alone in LoRAX.

        Never raises an EngineError: it is the outcome.
        """
        past = self._past_lorax(member, via) if use_lorax else ""
        if via is None or past is not None:
            return await self._by_standard(member, request, deadline, hearing, past=past or "")
        if self.standard is None:
            return await self._by_lorax(via, member, request, deadline, alone, hearing=hearing)
        first = await self._share(via, member, request, deadline, alone, hearing=hearing)
        if not isinstance(first.result, EngineError):
            return first
        self.metrics.fallbacks.labels(first.result.code).inc()
        return await self._by_standard(member, request, deadline, hearing, past=first.reason)

    async def _share(
        self,
        via: LoraxRoute,
        member: Member,
        request: GenerationRequest,
        deadline: float,
        alone: asyncio.Lock,
        *,
        hearing: MemberStream | None,
    ) -> Outcome:
        """LoRAX within its share of the time. Cutting it off is safe: what is sent has answered before (trap 5)."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LORAX_SHARE * (deadline - loop.time())
        try:
            async with asyncio.timeout_at(until):
                return await self._by_lorax(via, member, request, until, alone, hearing=hearing)
        except TimeoutError:
            late = EngineTimeout("LoRAX gave no answer within its share of the time")
            if hearing is not None:
                hearing.failed(str(late))
            return Outcome(late, loop.time(), reason=str(late))

    async def _by_lorax(
        self,
        via: LoraxRoute,
        member: Member,
        request: GenerationRequest,
        until: float,
        alone: asyncio.Lock,
        *,
        hearing: MemberStream | None,
    ) -> Outcome:
        def elsewhere() -> LoraxRoute | None:
            return self.lorax.choose([member.adapter_id], besides=via) if self.lorax else None

        return await via.ask(member, request, until, alone, hearing=hearing, elsewhere=elsewhere)

    async def _by_standard(
        self, member: Member, request: GenerationRequest, deadline: float, hearing: MemberStream | None, *, past: str
    ) -> Outcome:
        """`past` is why LoRAX does not answer; empty where nobody wanted it to."""
        if self.standard is None:
            raise AssertionError("why_not keeps members away that nobody can ask")
        outcome = await self.standard.ask(member, request, deadline, hearing)
        if isinstance(outcome.result, EngineError):
            return replace(outcome, reason=f"{outcome.reason} (before that: {past})") if past else outcome
        return replace(outcome, fell_back=past)

    def _past_lorax(self, member: Member, via: LoraxRoute | None) -> str | None:
        """Why the member is not asked through LoRAX: it is down, or its adapter can't be; None where it is asked."""
        if self.lorax is None:
            return ""
        if self.standard is None:
            return None
        error = self._gate(member, via)
        return self.lorax.breaker.reason if error is None else str(error)

    def _gate(self, member: Member, via: LoraxRoute | None) -> EngineError | None:
        """Why LoRAX can't be asked for this member: nowhere, as far as known."""
        if via is None or self.lorax is None:
            return _NO_SERVER
        error = via.gate(member)
        if error is None:
            return None
        other = self.lorax.choose([member.adapter_id], besides=via)
        return None if other is not None and other.admission.open_to(member.adapter_id) else error
