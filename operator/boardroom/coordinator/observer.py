"""LoRAX as seen from here: is it up, has it started anew, what do its metrics say."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from boardroom.api.status import LoraxMetrics
from boardroom.coordinator.latency import HitWindow, LatencyWindow, figures, percent
from boardroom.engine.errors import EngineError, Unreachable
from boardroom.engine.metrics import EngineMetrics
from boardroom.engine.protocol import Engine

LOOK_SECONDS: Final = 5.0
LOOK_SECONDS_DOWN: Final = 1.0
HEALTH_SECONDS: Final = 10.0
"""/health waits behind a forward pass and has no limit of its own."""
METRICS_SECONDS: Final = 10.0


def metrics(observers: Iterable["Observer"]) -> LoraxMetrics | None:
    """The figures of the status, over all servers that are up; None while none is."""
    up = [(o, o.counters) for o in observers if o.running and o.counters is not None]
    if not up:
        return None
    average, p95 = figures([o.latency.traffic() for o, _ in up])
    queues = [counters.queue_length for _, counters in up if counters.queue_length is not None]
    now = asyncio.get_running_loop().time()
    return LoraxMetrics(
        total_requests=sum(counters.requests for _, counters in up),
        failed_requests=sum(counters.failures for _, counters in up),
        average_latency_ms=average,
        p95_latency_ms=p95,
        queue_length=sum(queues) if queues else None,
        cache_hit_rate_percent=percent(o.hits.counts(now) for o, _ in up),
    )


class Observer:
    """Looks every few seconds. Calls `on_change` after every look, `on_restart` when LoRAX has lost its adapters."""

    def __init__(
        self,
        engine: Engine,
        *,
        on_restart: Callable[[], None] = lambda: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self.on_restart = on_restart
        self.on_change = on_change
        self.running: bool | None = None
        """None before the first look."""
        self.why_not = "LoRAX has not been looked at yet"
        self.trouble: EngineError | None = None
        """What the last look met."""
        self.latency = LatencyWindow()
        self.hits = HitWindow()
        self.counters: EngineMetrics | None = None
        self._look_now = asyncio.Event()
        self._gone = False

    def look_soon(self) -> None:
        """Something happened at LoRAX, or broke on the way there: look at once."""
        self._look_now.set()

    def note_answer(self, *, warm: int, answers: int = 1) -> None:
        """So many answers came through adapters, `warm` of them without a load."""
        self.hits.note(asyncio.get_running_loop().time(), warm=warm, answers=answers)

    def note_probe(self, seconds: float) -> None:
        """A probe of ours took so long in LoRAX."""
        self.latency.probe(asyncio.get_running_loop().time(), seconds)

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await self.look()
            self._look_now.clear()
            pause = LOOK_SECONDS if self.running else LOOK_SECONDS_DOWN
            try:
                await asyncio.wait_for(self._look_now.wait(), pause)
            except TimeoutError:
                continue
            await asyncio.sleep(LOOK_SECONDS_DOWN / 10)  # many questions may break at once: one look for all of them

    async def look(self) -> None:
        """One look at /health and /metrics."""
        try:
            await self._engine.health(HEALTH_SECONDS)
        except EngineError as error:
            if isinstance(error, Unreachable) and not self._gone:
                self._gone = True
                self._restarted()
            self.running, self.why_not, self.trouble = False, str(error), error
        else:
            await self._scrape()
            self._gone, self.running, self.why_not, self.trouble = False, True, "", None
        self.on_change()

    async def _scrape(self) -> None:
        try:
            counters = await self._engine.metrics(METRICS_SECONDS)
        except EngineError:
            return  # the last figures stand until the next look
        if self.counters is not None and counters.requests < self.counters.requests:
            self._restarted()
        self.counters = counters
        self.latency.sample(asyncio.get_running_loop().time(), counters.duration)

    def told(self, running: bool | None, why_not: str, trouble: EngineError | None) -> None:
        """Somebody else has looked."""
        self.running, self.why_not, self.trouble = running, why_not, trouble
        self.on_change()

    def gone(self) -> None:
        """The server is there no more, and nobody will look again."""
        trouble = Unreachable("the pod of this LoRAX server has gone")
        self.told(False, str(trouble), trouble)

    def _restarted(self) -> None:
        """No connection is a process that is gone, and counters that went back are a new one."""
        self.counters = None
        self.latency.clear()
        self.hits.clear()
        self.on_restart()
