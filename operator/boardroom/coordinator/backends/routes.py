"""The two ways to an answer: through LoRAX, past its gate, and by standard inference."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from boardroom.api.ask import AdapterIdentity, EngineName
from boardroom.coordinator import spans
from boardroom.coordinator.backends.adapter_state import AdapterRecord, AdapterRegistry
from boardroom.coordinator.backends.admission import Admission
from boardroom.coordinator.backends.gpu_seconds import GpuSecondsMeter
from boardroom.coordinator.backends.held import Held
from boardroom.coordinator.backends.incarnation import RISKED, Asked
from boardroom.coordinator.backends.quarantine import Watch
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.listener import MemberStream
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.errors import (
    AdapterFailed,
    BadResponse,
    ConnectionLost,
    EngineError,
    EngineTimeout,
    GenerationFailed,
    Overloaded,
    Quarantined,
    Superseded,
    Unhealthy,
    Unreachable,
)
from boardroom.engine.protocol import Engine, Generation, GenerationRequest, Inference, StreamTimeouts
from boardroom.engine.stop_sequences import StopCut, cut
from boardroom.telemetry.tracing import OFF, Tracer

OVERLOAD_WAITS: Final = (0.1, 0.2, 0.4, 0.8)
"""Seconds before each repetition after a 429, times a jitter of 0.5 to 1.5."""

_GRACE_SECONDS: Final = 1.0


class Outcome(msgspec.Struct, frozen=True):
    """What became of a member: `finished` is a time of the event loop's clock; `reason` tells the failures in order.

    `fell_back` says why LoRAX did not give the answer that standard inference gave. `adapter` names the weights
    that spoke, and `nameless` says why they can't be known.
    """

    result: Generation | EngineError
    finished: float
    cold_load: bool = False
    reason: str = ""
    engine: EngineName = EngineName.LORAX
    fell_back: str = ""
    adapter: AdapterIdentity | None = None
    nameless: str = ""
    replica: str | None = None
    """Name of the LoRAX server that spoke."""


ELSEWHERE: Final = (
    Unreachable, Unhealthy, ConnectionLost, Superseded, GenerationFailed, BadResponse, Overloaded, AdapterFailed,
)  # fmt: skip
"""What another LoRAX server may do better; the rest is the question's own fault, or its time that is over."""


class LoraxRoute:
    """To one LoRAX server; long-lived."""

    def __init__(
        self,
        name: str,
        engine: Engine,
        *,
        book: AdapterRegistry,
        admission: Admission,
        metrics: Metrics,
        held: Held,
        watch: Watch,
        tracer: Tracer = OFF,
    ) -> None:
        self.name = name
        self.engine = engine
        self.book = book
        self.admission = admission
        self.on_answer: Callable[[bool, Asked], None] = lambda _warm, _asked: None
        """Called with whether an answer through an adapter waited for no load, and what was asked."""
        self.on_failure: Callable[[str | None, EngineError, Asked], None] = lambda _path, _error, _asked: None
        """Called with the adapter that was asked for, what came instead of an answer, and what was asked."""
        self.load: set[asyncio.Task[Any]] = set()
        """Runs of members that were sent this way and have not ended."""
        self._held = held
        self._watch = watch
        self._metrics = metrics
        self._occupancy = GpuSecondsMeter(time.monotonic, metrics)
        self._tracer = tracer

    def gate(self, member: Member) -> EngineError | None:
        """Why nothing may be sent for this member, as far as known."""
        return self.book.gate(member.adapter_id) if member.adapter_id else None

    async def ask(
        self,
        member: Member,
        request: GenerationRequest,
        deadline: float,
        alone: asyncio.Lock,
        *,
        hearing: MemberStream | None,
        elsewhere: Callable[[], "LoraxRoute | None"],
    ) -> Outcome:
        """Ask once, and after a failure that may be the batch's or the server's once more, alone: the question's
        retries hold `alone`. `elsewhere` is the best other server, if one is up.
        """
        loop = asyncio.get_running_loop()
        first = await self._attempt(member, request, deadline, hearing)
        if not isinstance(first.result, EngineError) or self._again(member, first.result, elsewhere()) is None:
            return first
        async with alone:
            again = self._again(member, first.result, elsewhere())
            if again is None or loop.time() >= deadline:
                return first
            self._metrics.retries.labels(first.result.code).inc()
            second = await again._attempt(member, request, deadline, hearing)  # noqa: SLF001 (one of our own class)
        if isinstance(second.result, EngineError):
            return Outcome(second.result, second.finished, reason=f"{second.reason} (before that: {first.reason})")
        return second

    def _again(self, member: Member, error: EngineError, other: "LoraxRoute | None") -> "LoraxRoute | None":
        """Where the retry goes: to a server that is ready for it, else here if that may help, else nowhere."""
        if other is not None and isinstance(error, ELSEWHERE):
            down = isinstance(error, (Unreachable, Unhealthy))
            if other.admission.open_to(member.adapter_id) or (down and other.gate(member) is None):
                return other
        return self if error.retryable else None

    async def _attempt(
        self, member: Member, request: GenerationRequest, deadline: float, hearing: MemberStream | None
    ) -> Outcome:
        """One request, repeated after each 429 while there is time."""
        return await patiently(lambda: self._request(member, request, deadline, hearing), deadline, self._metrics)

    async def _request(
        self, member: Member, request: GenerationRequest, deadline: float, hearing: MemberStream | None
    ) -> Outcome:
        with spans.attempt(self._tracer, member, EngineName.LORAX, self.name) as span:
            outcome = await self._sent(member, request, deadline, hearing)
            spans.tell(span, outcome.result, cold_load=outcome.cold_load, adapter=outcome.adapter)
            return outcome

    async def _sent(
        self, member: Member, request: GenerationRequest, deadline: float, hearing: MemberStream | None
    ) -> Outcome:
        loop = asyncio.get_running_loop()
        path = member.adapter_id
        held = not self.admission.open_to(path)
        cold = path is not None and not self.book.proved(path)
        error = await self._admitted(path) if held else None
        remaining = deadline - loop.time()
        if error is not None or remaining <= 0:
            return broken(error or EngineTimeout("no time was left to ask"), loop.time())
        # Of the board that was asked: it may change, and the book forget the adapter, before the answer is there.
        record = None if path is None else self.book[path]
        asked = Asked(self.book.incarnation, record.digest if record is not None else None)
        risks = self.admission.risks
        self.admission.left()
        generation: Generation | None = None
        stay = self._occupancy.entered()
        try:
            generation = await self._watch.over(
                request, lambda: generated(self.engine, request, remaining + _GRACE_SECONDS, hearing)
            )
        except EngineError as failure:
            if not isinstance(failure, Quarantined):
                self.on_failure(path, failure, asked)
            return broken(failure, loop.time())
        finally:
            self.admission.back()
            self._occupancy.left(stay, generation)
        if asked.incarnation in self.book.ended_unseen:
            return superseded(loop.time(), hearing)
        if path is not None:
            self.on_answer(not cold, asked)
        if not generation.text.strip():
            return blank(request, loop.time(), EngineName.LORAX, hearing)
        answer = Outcome(generation, loop.time(), cold, replica=self.name)
        return answer if record is None else self._named(answer, record, asked, risks)

    def _named(self, answer: Outcome, record: AdapterRecord, asked: Asked, risks: int) -> Outcome:
        """The answer with the weights that gave it."""
        nameless = self._nameless(record, asked, risks)
        spoke = AdapterIdentity(path=record.path, digest=None if nameless else asked.digest)
        return replace(answer, adapter=spoke, nameless=nameless)

    def _nameless(self, record: AdapterRecord, asked: Asked, risks: int) -> str:
        """Why an answer that is there now can't be called that of the weights that were asked; empty where it can.

        An incarnation that has ended meanwhile, and was seen to, has answered with what it had loaded.
        """
        if asked.incarnation == self.book.incarnation:
            if self.admission.risks != risks:
                return RISKED
            if record.digest != asked.digest:
                return record.nameless
        return "" if asked.digest is not None else record.nameless

    async def _admitted(self, path: str | None) -> EngineError | None:
        """Wait for admission, as one of those that are held."""
        with self._held.at(self.admission):
            return await self.admission.admitted(path)


class StandardRoute:
    """To standard inference; long-lived. The base prompt speaks, no adapter."""

    def __init__(self, engine: Inference, metrics: Metrics, tracer: Tracer = OFF) -> None:
        self.engine = engine
        self._metrics = metrics
        self._tracer = tracer

    async def ask(
        self, member: Member, request: GenerationRequest, deadline: float, hearing: MemberStream | None
    ) -> Outcome:
        """One request, repeated after each 429 while there is time."""

        async def once() -> Outcome:
            with spans.attempt(self._tracer, member, EngineName.STANDARD) as span:
                outcome = await self._request(request, deadline, hearing)
                spans.tell(span, outcome.result, cold_load=False, adapter=None)
                return outcome

        return await patiently(once, deadline, self._metrics)

    async def _request(self, request: GenerationRequest, deadline: float, hearing: MemberStream | None) -> Outcome:
        loop = asyncio.get_running_loop()
        remaining = deadline - loop.time()
        if remaining <= 0:
            return broken(EngineTimeout("no time was left for standard inference"), loop.time(), EngineName.STANDARD)
        try:
            generation = await generated(self.engine, request, remaining + _GRACE_SECONDS, hearing)
        except EngineError as failure:
            return broken(failure, loop.time(), EngineName.STANDARD)
        if not generation.text.strip():
            return blank(request, loop.time(), EngineName.STANDARD, hearing)
        return Outcome(generation, loop.time(), engine=EngineName.STANDARD)


async def patiently(once: Callable[[], Awaitable[Outcome]], deadline: float, metrics: Metrics) -> Outcome:
    """`once`, again after each 429 while there is time."""
    loop = asyncio.get_running_loop()
    for wait in (*OVERLOAD_WAITS, None):
        outcome = await once()
        if not isinstance(outcome.result, Overloaded) or wait is None:
            return outcome
        pause = wait * random.uniform(0.5, 1.5)  # noqa: S311 (jitter, not a secret)
        if loop.time() + pause >= deadline:
            return outcome
        metrics.retries.labels("overloaded").inc()
        await asyncio.sleep(pause)
    raise AssertionError("the last repetition returns")


async def generated(
    engine: Inference, request: GenerationRequest, seconds: float, hearing: MemberStream | None
) -> Generation:
    """The whole answer up to its first stop sequence; where somebody listens, also piece by piece as it comes. Raises
    EngineError.
    """
    if hearing is None:
        return cut(await engine.generate(request, seconds), request.stop)
    stops = StopCut(request.stop)
    try:
        async with aclosing(engine.stream(request, StreamTimeouts(whole=seconds))) as pieces:
            async for piece in pieces:
                if isinstance(piece, Generation):
                    hearing.text(stops.end())
                    return cut(piece, request.stop)
                hearing.text(stops.feed(piece))
    except EngineError as error:
        hearing.failed(str(error))
        raise
    raise BadResponse("the stream ended without an answer")


def superseded(now: float, hearing: MemberStream | None) -> Outcome:
    """An answer that may be of another process than the one whose adapters were loaded."""
    error = Superseded("LoRAX has started anew meanwhile, and this answer may be the base model's")
    if hearing is not None:
        hearing.failed(str(error))
    return broken(error, now)


def blank(request: GenerationRequest, now: float, engine: EngineName, hearing: MemberStream | None) -> Outcome:
    """An answer without a word in it is none."""
    who = "LoRAX" if engine is EngineName.LORAX else "standard inference"
    why = "; a stop sequence may have ended it at once" if request.stop else ""
    error = BadResponse(f"{who} answered with an empty text{why}")
    if hearing is not None:
        hearing.failed(str(error))
    return broken(error, now, engine)


def broken(error: EngineError, now: float, engine: EngineName = EngineName.LORAX) -> Outcome:
    """No text."""
    return Outcome(error, now, reason=str(error), engine=engine)
