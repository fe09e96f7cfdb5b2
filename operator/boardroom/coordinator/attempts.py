"""Requests to LoRAX for one member: held while adapters load, repeated after an overload, retried once alone."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from boardroom.coordinator.adapters import AdapterBook, is_cold
from boardroom.coordinator.admission import Admission
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
        self,
        engine: Engine,
        book: AdapterBook,
        admission: Admission,
        metrics: Metrics,
        on_trouble: Callable[[], None] = lambda: None,
    ) -> None:
        self.engine = engine
        self.book = book
        self.admission = admission
        self.metrics = metrics
        self.on_answer: Callable[[bool], None] = lambda _cold: None
        """Called with whether an answer through an adapter waited for its load."""
        self.held: set[asyncio.Task[Any] | None] = set()
        """Runs that wait for admission."""
        self._on_trouble = on_trouble

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
        held = not self.admission.open_to(path)
        first_load = path is not None and not self.book.proved(path)
        error = await self._admitted(path) if held else None
        remaining = deadline - loop.time()
        if error is None and remaining <= 0:
            error = EngineTimeout("no time was left to ask")
        if error is not None:
            return _broken(error, loop.time())
        self.admission.left()
        try:
            generation = await self.engine.generate(request, remaining + _GRACE_SECONDS)
        except EngineError as failure:
            if path is not None:
                self.book.failed(path, failure)
            if isinstance(failure, (Unreachable, ConnectionLost)):
                self._on_trouble()
            return _broken(failure, loop.time())
        finally:
            self.admission.back()
        cold = path is not None and (first_load or is_cold(generation.queue_ms, proved=True))
        if path is not None:
            self.book.answered(path, generation.queue_ms)
            self.on_answer(cold)
        if not generation.text.strip():
            return _broken(BadResponse("LoRAX answered with an empty text"), loop.time())
        return Outcome(generation, loop.time(), cold)

    async def _admitted(self, path: str | None) -> EngineError | None:
        """Wait for admission, as one of those that are held."""
        task = asyncio.current_task()
        self.held.add(task)
        self.metrics.held.set(len(self.held))
        try:
            return await self.admission.admitted(path)
        finally:
            self.held.discard(task)
            self.metrics.held.set(len(self.held))


def _broken(error: EngineError, now: float) -> Outcome:
    return Outcome(error, now, reason=str(error))
