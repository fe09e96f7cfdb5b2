"""Sends a member's request to LoRAX, or to standard inference if LoRAX fails or is not wanted."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from boardroom.coordinator.backends.lorax_route import LoraxRoute
from boardroom.coordinator.backends.outcome import Outcome
from boardroom.coordinator.backends.pool import BackendPool
from boardroom.coordinator.backends.standard_route import StandardRoute
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.listener import MemberStream
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.errors import EngineError, EngineTimeout, Unreachable
from boardroom.engine.protocol import GenerationRequest
from boardroom.telemetry.tracing import OFF, Tracer

LORAX_SHARE: Final = 0.7
"""LoRAX's share of a member's time if standard inference may have to answer in the rest."""

_NO_SERVER: Final = Unreachable("LoRAX has no pod")


class Dispatcher:
    """Sends one question's members to the engines. At least one of the two is there."""

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
        """The LoRAX server for a batch of these members, the same for all; None if there is none."""
        return self.lorax.choose([m.adapter_id for m in members]) if self.lorax else None

    def unavailable_reason(self, member: Member, route: LoraxRoute | None, *, use_lorax: bool) -> str | None:
        """Why the member can't be asked by any engine; None if it can."""
        if self.standard is not None or self.lorax is None or not use_lorax:
            return None
        error = self._gate(member, route)
        return None if error is None else str(error)

    def goes_to_lorax(self, member: Member, route: LoraxRoute | None, *, use_lorax: bool) -> bool:
        """Whether the member is asked through LoRAX now."""
        return use_lorax and self._skip_reason(member, route) is None

    def check_schema(self, schema: Mapping[str, Any], *, use_lorax: bool) -> None:
        """Raises SchemaRefused for a schema that the question's engine can't be sent. LoRAX's limits also hold while it
        is down and standard inference stands in for it, so that the same question is valid tomorrow too.
        """
        if self.lorax is not None and use_lorax:
            self.lorax.schema(schema)
        elif self.standard is not None:
            self.standard.engine.schema(schema)

    @property
    def down(self) -> bool:
        """Whether LoRAX is down and there is no standard inference."""
        return self.standard is None and self.lorax is not None and self.lorax.breaker.reason is not None

    def hold_reason(self, task: asyncio.Task[Any]) -> str | None:
        """The reason why a run waits before it is sent to LoRAX; None if it does not wait."""
        gate = self.lorax.held.admission_of(task) if self.lorax else None
        return gate.hold_reason if gate else None

    def run(
        self,
        member: Member,
        request: GenerationRequest,
        deadline: float,
        retry_lock: asyncio.Lock,
        *,
        route: LoraxRoute | None,
        use_lorax: bool = True,
        stream: MemberStream | None = None,
    ) -> Coroutine[Any, Any, Outcome]:
        """The coroutine that asks a member. The coroutine returns an EngineError in its outcome and never raises it.

        The question's retries hold `retry_lock`, so that each of them is alone in LoRAX.
        """
        skip_reason = self._skip_reason(member, route) if use_lorax else ""
        if route is None or skip_reason is not None:
            return self._run_standard(member, request, deadline, stream, skip_reason=skip_reason or "")
        if self.standard is not None:
            return self._run_both(route, member, request, deadline, retry_lock, stream=stream)
        elsewhere = partial(self._other_route, member, route)
        return route.generate(member, request, deadline, retry_lock, stream=stream, elsewhere=elsewhere)

    async def _run_both(
        self,
        route: LoraxRoute,
        member: Member,
        request: GenerationRequest,
        deadline: float,
        retry_lock: asyncio.Lock,
        *,
        stream: MemberStream | None,
    ) -> Outcome:
        """LoRAX within its share of the time, and if it fails, standard inference in the rest."""
        until = self._lorax_deadline(deadline)
        elsewhere = partial(self._other_route, member, route)
        try:
            async with asyncio.timeout_at(until):
                outcome = await route.generate(member, request, until, retry_lock, stream=stream, elsewhere=elsewhere)
        except TimeoutError:
            outcome = self._late(stream)
        if not isinstance(outcome.result, EngineError):
            return outcome
        self.metrics.fallbacks.labels(outcome.result.code).inc()
        return await self._run_standard(member, request, deadline, stream, skip_reason=outcome.reason)

    @staticmethod
    def _lorax_deadline(deadline: float) -> float:
        """The end of LoRAX's share of the time. To cut a request off then is safe, because only adapters that have
        answered before get requests (disconnect abort, docs/lorax.md).
        """
        now = asyncio.get_running_loop().time()
        return now + LORAX_SHARE * (deadline - now)

    @staticmethod
    def _late(stream: MemberStream | None) -> Outcome:
        error = EngineTimeout("LoRAX gave no answer within its share of the time")
        if stream is not None:
            stream.failed(str(error))
        return Outcome(error, asyncio.get_running_loop().time(), reason=str(error))

    def _other_route(self, member: Member, route: LoraxRoute) -> LoraxRoute | None:
        """The route to the best other server for this member; None if no other is up."""
        return self.lorax.choose([member.adapter_id], besides=route) if self.lorax else None

    async def _run_standard(
        self,
        member: Member,
        request: GenerationRequest,
        deadline: float,
        stream: MemberStream | None,
        *,
        skip_reason: str,
    ) -> Outcome:
        """`skip_reason` says why LoRAX does not answer; it is empty if the question does not want LoRAX."""
        if self.standard is None:
            raise AssertionError("unavailable_reason leaves out members that no engine can be asked for")
        outcome = await self.standard.generate(member, request, deadline, stream)
        if isinstance(outcome.result, EngineError):
            return replace(outcome, reason=f"{outcome.reason} (before that: {skip_reason})") if skip_reason else outcome
        return replace(outcome, fallback_reason=skip_reason)

    def _skip_reason(self, member: Member, route: LoraxRoute | None) -> str | None:
        """Why the member is not asked through LoRAX: LoRAX is down, or its adapter can't answer. None if it is."""
        if self.lorax is None:
            return ""
        if self.standard is None:
            return None
        error = self._gate(member, route)
        return self.lorax.breaker.reason if error is None else str(error)

    def _gate(self, member: Member, route: LoraxRoute | None) -> EngineError | None:
        """The error by which no LoRAX server can be asked for this member; None if one can."""
        if route is None or self.lorax is None:
            return _NO_SERVER
        error = route.block_reason(member)
        if error is None:
            return None
        other = self._other_route(member, route)
        return None if other is not None and other.admission.is_open_for(member.adapter_id) else error
