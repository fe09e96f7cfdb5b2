"""Requests to LoRAX for one member: overload waits, one retry alone, and first loads that nobody may cancel."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from boardroom.coordinator.adapters import AdapterBook, is_cold
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.roster import Member
from boardroom.engine.errors import (
    BadResponse,
    ConnectionLost,
    EngineError,
    EngineTimeout,
    Overloaded,
    Unreachable,
)
from boardroom.engine.protocol import Engine, Generation, GenerationRequest

FIRST_LOAD_SECONDS: Final = 600.0
"""A first load is cut only after this: disconnecting while it fails aborts LoRAX (trap 5)."""

OVERLOAD_WAITS: Final = (0.1, 0.2, 0.4, 0.8)
"""Seconds before each repetition after a 429, times a jitter of 0.5 to 1.5."""

_GRACE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a member: `finished` is a time of the event loop's clock; `reason` tells the failures in order."""

    result: Generation | EngineError
    finished: float
    cold_load: bool = False
    reason: str = ""


class Attempts:
    """Long-lived: what all questions share on their way to one LoRAX."""

    def __init__(
        self, engine: Engine, book: AdapterBook, metrics: Metrics, on_trouble: Callable[[], None] = lambda: None
    ) -> None:
        self.engine = engine
        self.book = book
        self.metrics = metrics
        self.on_answer: Callable[[bool], None] = lambda _cold: None
        """Called with whether an answer through an adapter waited for its load."""
        self._on_trouble = on_trouble
        self._background: set[asyncio.Task[Outcome]] = set()

    async def run(self, member: Member, request: GenerationRequest, deadline: float, alone: asyncio.Lock) -> Outcome:
        """Ask one member; `alone` is held by the question's retries, so that each of them is alone in LoRAX.

        Never raises an EngineError: it is the outcome.
        """
        loop = asyncio.get_running_loop()
        first = await self._attempt(member, request, deadline)
        if not isinstance(first.result, EngineError) or not first.result.retryable:
            return first
        async with alone:
            if loop.time() >= deadline:
                return first
            self.metrics.retries.labels(first.result.code).inc()
            second = await self._attempt(member, request, deadline)
        if isinstance(second.result, EngineError):
            return Outcome(second.result, second.finished, reason=f"{second.reason} (before that: {first.reason})")
        return second

    def abandon(self, task: asyncio.Task[Outcome], member: Member) -> None:
        """Nobody waits for this task any more: cancel it, unless its adapter has never answered (trap 5)."""
        if member.adapter_id is None or self.book.proved(member.adapter_id):
            task.cancel()
            return
        record = self.book[member.adapter_id]
        record.abandoned += 1
        self._background.add(task)
        self.metrics.background.set(len(self._background))

        def finished(done: asyncio.Task[Outcome]) -> None:
            record.abandoned -= 1
            self._background.discard(done)
            self.metrics.background.set(len(self._background))

        task.add_done_callback(finished)

    async def drain(self, seconds: float) -> None:
        """Let the requests in the background finish, for at most so long."""
        if self._background:
            await asyncio.wait(self._background, timeout=seconds)

    async def _attempt(self, member: Member, request: GenerationRequest, deadline: float) -> Outcome:
        """One request, repeated after each 429 while there is time."""
        loop = asyncio.get_running_loop()
        for wait in (*OVERLOAD_WAITS, None):
            outcome = await self._request(member, request, deadline)
            if not isinstance(outcome.result, Overloaded) or wait is None:
                return outcome
            pause = wait * random.uniform(0.5, 1.5)  # noqa: S311 (jitter, not a secret)
            if loop.time() + pause >= deadline:
                return outcome
            self.metrics.retries.labels("overloaded").inc()
            await asyncio.sleep(pause)
        raise AssertionError("the last repetition returns")

    async def _request(self, member: Member, request: GenerationRequest, deadline: float) -> Outcome:
        loop = asyncio.get_running_loop()
        path = member.adapter_id
        proved = path is None or self.book.proved(path)
        remaining = deadline - loop.time()
        if remaining <= 0:
            return _broken(EngineTimeout("no time was left to ask"), loop.time())
        if path is not None:
            self.book.sending(path)
        try:
            generation = await self.engine.generate(
                request, remaining + _GRACE_SECONDS if proved else FIRST_LOAD_SECONDS
            )
        except EngineError as error:
            if path is not None:
                self.book.failed(path, error)
            if isinstance(error, (Unreachable, ConnectionLost)):
                self._on_trouble()
            return _broken(error, loop.time())
        if path is not None:
            self.book.answered(path, generation.queue_ms)
        cold = path is not None and is_cold(generation.queue_ms, proved=proved)
        if path is not None:
            self.on_answer(cold)
        if not generation.text.strip():
            return _broken(BadResponse("LoRAX answered with an empty text"), loop.time())
        return Outcome(generation, loop.time(), cold)


def _broken(error: EngineError, now: float) -> Outcome:
    return Outcome(error, now, reason=str(error))
