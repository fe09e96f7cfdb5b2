"""One member's way to an answer: LoRAX, and where that fails or is not wanted, standard inference."""

import asyncio
from dataclasses import replace
from typing import Any, Final

from boardroom.coordinator.adapters import AdapterRecord
from boardroom.coordinator.listening import Hearing
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.roster import Member
from boardroom.coordinator.routes import LoraxRoute, Outcome, StandardRoute
from boardroom.engine.errors import EngineError, EngineTimeout
from boardroom.engine.protocol import GenerationRequest

LORAX_SHARE: Final = 0.7
"""Of a member's time, where standard inference may have to answer in the rest of it."""


class Attempts:
    """Long-lived: what all questions share on their way to the engines; at least one of the two is there."""

    def __init__(
        self, metrics: Metrics, *, lorax: LoraxRoute | None = None, standard: StandardRoute | None = None
    ) -> None:
        self.metrics = metrics
        self.lorax = lorax
        self.standard = standard

    def why_not(self, member: Member, *, use_lorax: bool) -> str | None:
        """Why the member can't be asked at all, as far as known."""
        if self.standard is not None:
            return None
        error = self.lorax.gate(member) if self.lorax and use_lorax else None
        return None if error is None else str(error)

    def by_lorax(self, member: Member, *, use_lorax: bool) -> bool:
        """Whether the member would be asked through LoRAX now."""
        return use_lorax and self._past_lorax(member) is None

    @property
    def down(self) -> bool:
        """Whether LoRAX is down and nothing stands in for it."""
        return self.standard is None and self.lorax is not None and self.lorax.breaker.reason is not None

    def record(self, member: Member) -> AdapterRecord | None:
        """What is known of the member's adapter; None where it has none."""
        return self.lorax.book[member.adapter_id] if self.lorax and member.adapter_id else None

    def is_held(self, task: asyncio.Task[Any]) -> bool:
        """Whether a run waits for LoRAX's adapters to be loaded."""
        return self.lorax is not None and task in self.lorax.held

    async def run(
        self,
        member: Member,
        request: GenerationRequest,
        deadline: float,
        alone: asyncio.Lock,
        *,
        use_lorax: bool = True,
        hearing: Hearing | None = None,
    ) -> Outcome:
        """Ask one member; `alone` is held by the question's retries, so that each of them is alone in LoRAX.

        Never raises an EngineError: it is the outcome.
        """
        past = self._past_lorax(member) if use_lorax else ""
        if self.lorax is None or past is not None:
            return await self._by_standard(request, deadline, hearing, past or "")
        if self.standard is None:
            return await self.lorax.ask(member, request, deadline, alone, hearing)
        first = await self._share(self.lorax, member, request, deadline, alone, hearing=hearing)
        if not isinstance(first.result, EngineError):
            return first
        self.metrics.fallbacks.labels(first.result.code).inc()
        return await self._by_standard(request, deadline, hearing, first.reason)

    async def _share(
        self,
        lorax: LoraxRoute,
        member: Member,
        request: GenerationRequest,
        deadline: float,
        alone: asyncio.Lock,
        *,
        hearing: Hearing | None,
    ) -> Outcome:
        """LoRAX within its share of the time. Cutting it off is safe: what is sent has answered before (trap 5)."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LORAX_SHARE * (deadline - loop.time())
        try:
            async with asyncio.timeout_at(until):
                return await lorax.ask(member, request, until, alone, hearing)
        except TimeoutError:
            late = EngineTimeout("LoRAX gave no answer within its share of the time")
            if hearing is not None:
                hearing.failed(str(late))
            return Outcome(late, loop.time(), reason=str(late))

    async def _by_standard(
        self, request: GenerationRequest, deadline: float, hearing: Hearing | None, past: str
    ) -> Outcome:
        """`past` is why LoRAX does not answer; empty where nobody wanted it to."""
        if self.standard is None:
            raise AssertionError("why_not keeps members away that nobody can ask")
        outcome = await self.standard.ask(request, deadline, hearing)
        if isinstance(outcome.result, EngineError):
            return replace(outcome, reason=f"{outcome.reason} (before that: {past})") if past else outcome
        return replace(outcome, fell_back=past)

    def _past_lorax(self, member: Member) -> str | None:
        """Why the member is not asked through LoRAX: it is down, or its adapter can't be; None where it is asked."""
        if self.lorax is None:
            return ""
        if self.standard is None:
            return None
        error = self.lorax.gate(member)
        return self.lorax.breaker.reason if error is None else str(error)
