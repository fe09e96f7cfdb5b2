"""Proves adapters by one token each, in waves together with those that are loaded (LORAX.md, traps 0 and 1)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from boardroom.coordinator.adapters import AdapterBook, is_cold
from boardroom.coordinator.attempts import FIRST_LOAD_SECONDS
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.observer import Observer
from boardroom.engine.errors import EngineError
from boardroom.engine.protocol import Engine, Generation, GenerationRequest

MAX_ROUNDS: Final = 3
"""After a wave the proved adapters are probed until none waited for a load, at most so often."""

REST_SECONDS: Final = 1.0
MAX_REST_SECONDS: Final = 16.0
"""Between waves; doubled after each that told nothing, because LoRAX is overloaded or going down."""

_LOG = logging.getLogger(__name__)


class Prober:
    """Probes on first sight, after a restart of LoRAX, on new files, and after a failure's back-off; else never."""

    def __init__(
        self,
        engine: Engine,
        book: AdapterBook,
        observer: Observer,
        metrics: Metrics,
        look: Callable[[], Awaitable[None]],
    ) -> None:
        """`look` asks the sidecar, so that nothing is sent to what LoRAX would get silently wrong (trap 9)."""
        self._look = look
        self._engine = engine
        self._book = book
        self._observer = observer
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._count = 0
        self.idle = False
        """Whether every adapter that can be proved now has been."""

    def wake(self) -> None:
        """There may be something to prove."""
        self._wake.set()

    async def run(self, clock: Callable[[], float]) -> None:
        """Prove what can be proved, for ever. `clock` is the book's."""
        rest = REST_SECONDS
        while True:
            self._wake.clear()
            before = self._book.unproved()
            if self._observer.running and before:
                self.idle = False
                await self.wave()
                after = self._book.unproved()
                self.idle = not after
                rest = REST_SECONDS if after != before else min(MAX_REST_SECONDS, 2 * rest)
                await asyncio.sleep(rest)
            else:
                self.idle = bool(self._observer.running)
                await self._sleep(clock)

    async def wave(self) -> None:
        """All unproved adapters at once together with the proved ones; then the proved ones again, because each load
        may have evicted one of them, until none waits for a load any more.
        """
        await self._look()
        await asyncio.gather(*(self._probe(path) for path in [*self._book.unproved(), *self._book.ready()]))
        for _ in range(MAX_ROUNDS):
            results = await asyncio.gather(*(self._probe(path) for path in self._book.ready()))
            if not any(result and is_cold(result.queue_ms, proved=True) for result in results):
                break
        self._observer.look_soon()

    async def _probe(self, path: str) -> Generation | None:
        self._count += 1
        request = GenerationRequest(
            request_id=f"probe-{self._count}",
            system="",
            prompt="Are you there?",
            adapter_id=path,
            max_new_tokens=1,
        )
        self._book.sending(path)
        try:
            generation = await self._engine.generate(request, FIRST_LOAD_SECONDS)
        except EngineError as error:
            self._metrics.probes.labels(error.code).inc()
            self._book.failed(path, error)
            _LOG.warning("adapter probe failed", extra={"adapter": path, "cause": error.code, "error": str(error)})
            return None
        self._metrics.probes.labels("answered").inc()
        self._observer.note_probe((generation.total_ms or 0.0) / 1000)
        self._book.answered(path, generation.queue_ms)
        return generation

    async def _sleep(self, clock: Callable[[], float]) -> None:
        """Until woken, or until a failed adapter may be tried again."""
        retry = self._book.next_retry() if self._observer.running else None
        try:
            await asyncio.wait_for(self._wake.wait(), None if retry is None else max(REST_SECONDS, retry - clock()))
        except TimeoutError:
            return
