"""The route to one LoRAX server, past its gate."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from boardroom.api.ask import EngineName
from boardroom.coordinator import spans
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.adapter_state import AdapterState
from boardroom.coordinator.backends.admission import Admission
from boardroom.coordinator.backends.generation import GRACE_SECONDS, generate
from boardroom.coordinator.backends.gpu_seconds import GpuSecondsMeter
from boardroom.coordinator.backends.incarnation import MAY_BE_EVICTED, RequestTarget
from boardroom.coordinator.backends.outcome import Outcome, empty_response, failed, superseded
from boardroom.coordinator.backends.quarantine import LossTracker
from boardroom.coordinator.backends.retry import OVERLOAD_WAITS, RETRY_ELSEWHERE, retry_on_overload
from boardroom.coordinator.backends.waiting_tasks import WaitingTasks
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.listener import MemberStream
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.response import AdapterIdentity
from boardroom.engine.errors import (
    ConnectionLost,
    EngineError,
    EngineTimeout,
    Overloaded,
    Unhealthy,
    Unreachable,
)
from boardroom.engine.protocol import Engine, Generation, GenerationRequest
from boardroom.telemetry.tracing import OFF, Tracer


class LoraxRoute:
    """The route to a LoRAX server; long-lived."""

    def __init__(
        self,
        name: str,
        engine: Engine,
        *,
        registry: AdapterRegistry,
        admission: Admission,
        metrics: Metrics,
        held: WaitingTasks,
        losses: LossTracker,
        on_answer: Callable[[bool, RequestTarget], None] = lambda _warm, _target: None,
        on_failure: Callable[[str | None, EngineError, RequestTarget], None] = lambda _path, _error, _target: None,
        tracer: Tracer = OFF,
    ) -> None:
        """`on_answer` hears whether an answer through an adapter waited for no load, and the target; `on_failure`
        the adapter that was asked for, what came instead of an answer, and the target.
        """
        self.name = name
        self.engine = engine
        self.registry = registry
        self.admission = admission
        self._on_answer, self._on_failure = on_answer, on_failure
        self.tasks: set[asyncio.Task[Any]] = set()
        """Runs of members that were sent by this route and have not ended."""
        self._held = held
        self._losses = losses
        self._metrics = metrics
        self._gpu_seconds = GpuSecondsMeter(time.monotonic, metrics)
        self._tracer = tracer
        self._request = self._send if tracer is OFF else self._traced

    def block_reason(self, member: Member) -> EngineError | None:
        """Why nothing may be sent for this member, as far as known."""
        return self.registry.block_reason(member.adapter_id)

    async def generate(
        self,
        member: Member,
        request: GenerationRequest,
        deadline: float,
        alone: asyncio.Lock,
        *,
        stream: MemberStream | None,
        elsewhere: Callable[[], "LoraxRoute | None"],
    ) -> Outcome:
        """Ask once, and after a failure that may be the batch's or the server's once more, alone: the question's
        retries hold `alone`. `elsewhere` is the best other server, if one is up.
        """
        first = await self._request(member, request, deadline, stream)
        if not isinstance(first.result, EngineError):
            return first
        first = await self._repeat(first, member, request, deadline, stream)
        if not isinstance(first.result, EngineError) or self._retry_route(member, first.result, elsewhere()) is None:
            return first
        async with alone:
            route = self._retry_route(member, first.result, elsewhere())
            if route is None or asyncio.get_running_loop().time() >= deadline:
                return first
            self._metrics.retries.labels(first.result.code).inc()
            second = await route._request(member, request, deadline, stream)  # noqa: SLF001 (one of our own class)
            second = await route._repeat(second, member, request, deadline, stream)  # noqa: SLF001 (the same)
        if isinstance(second.result, EngineError):
            return Outcome(second.result, second.finished, reason=f"{second.reason} (before that: {first.reason})")
        return second

    def _retry_route(self, member: Member, error: EngineError, other: "LoraxRoute | None") -> "LoraxRoute | None":
        """The route of the retry: another server that is ready, else this one if a retry may help, else None."""
        if other is not None and isinstance(error, RETRY_ELSEWHERE):
            down = isinstance(error, (Unreachable, Unhealthy))
            if other.admission.is_open_for(member.adapter_id) or (down and other.block_reason(member) is None):
                return other
        return self if error.retryable else None

    async def _repeat(
        self, outcome: Outcome, member: Member, request: GenerationRequest, deadline: float, stream: MemberStream | None
    ) -> Outcome:
        """The outcome after the request has been repeated after each 429, while there is time."""
        waits = iter(OVERLOAD_WAITS)
        while isinstance(outcome.result, Overloaded) and await retry_on_overload(waits, deadline, self._metrics):
            outcome = await self._request(member, request, deadline, stream)
        return outcome

    async def _traced(
        self, member: Member, request: GenerationRequest, deadline: float, stream: MemberStream | None
    ) -> Outcome:
        with spans.attempt(
            self._tracer,
            EngineName.LORAX,
            agent=member.name,
            role=member.role,
            server=self.name,
            adapter=member.adapter_id,
        ) as span:
            outcome = await self._send(member, request, deadline, stream)
            spans.tell(span, outcome.result, cold_load=outcome.cold_load, adapter=outcome.adapter)
            return outcome

    async def _send(
        self, member: Member, request: GenerationRequest, deadline: float, stream: MemberStream | None
    ) -> Outcome:
        loop = asyncio.get_running_loop()
        path = member.adapter_id
        held = not self.admission.is_open_for(path)
        cold = path is not None and not self.registry.is_ready(path)
        error = await self._wait_admitted(path) if held else None
        remaining = deadline - loop.time()
        if error is not None or remaining <= 0:
            return failed(error or EngineTimeout("no time was left to ask"), loop.time())
        state = self.registry.watch(path)
        target = RequestTarget(self.registry.incarnation, state().digest)
        waves_begun = self.admission.waves_begun
        quarantined = self._losses.refusal(request)
        if quarantined is not None:
            return failed(quarantined, loop.time())
        losses = self._losses.count
        self.admission.request_sent()
        generation: Generation | None = None
        in_flight = self._gpu_seconds.request_started()
        try:
            seconds = remaining + GRACE_SECONDS
            generation = await generate(self.engine, request, seconds, stream)
        except EngineError as failure:
            if isinstance(failure, ConnectionLost):
                self._losses.record_loss(request, losses)
            self._on_failure(path, failure, target)
            return failed(failure, loop.time())
        finally:
            self.admission.request_done()
            self._gpu_seconds.request_ended(in_flight, generation)
        self._losses.clear(request)
        if target.incarnation in self.registry.ended_unseen:
            return superseded(loop.time(), stream)
        if path is not None:
            self._on_answer(not cold, target)
        if not generation.text.strip():
            return empty_response(request, loop.time(), EngineName.LORAX, stream)
        answer = Outcome(generation, loop.time(), cold, replica=self.name)
        return self._attributed(answer, path, state(), target, waves_begun)

    def _attributed(
        self, answer: Outcome, path: str | None, state: AdapterState, target: RequestTarget, waves_begun: int
    ) -> Outcome:
        """The answer with the weights that gave it; one of the base model as it is."""
        if path is None:
            return answer
        no_digest_reason = self._no_digest_reason(state, target, waves_begun)
        identity = AdapterIdentity(path=path, digest=None if no_digest_reason else target.digest)
        return replace(answer, adapter=identity, no_digest_reason=no_digest_reason)

    def _no_digest_reason(self, state: AdapterState, target: RequestTarget, waves_begun: int) -> str:
        """The reason why the weights of a finished answer are unknown; empty if they are the requested weights.

        An incarnation that was seen to end meanwhile has answered with the weights that it had loaded.
        """
        if target.incarnation == self.registry.incarnation:
            if self.admission.waves_begun != waves_begun:
                return MAY_BE_EVICTED
            if state.digest != target.digest:
                return state.no_digest_reason
        return "" if target.digest is not None else state.no_digest_reason

    async def _wait_admitted(self, path: str | None) -> EngineError | None:
        """Wait for admission, listed among the waiting tasks."""
        with self._held.waiting(self.admission):
            return await self.admission.admit(path)
