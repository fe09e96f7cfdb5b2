"""Whether a LoRAX server is up, whether it has started anew, and what its metrics say."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from boardroom.api.status import LoraxMetrics
from boardroom.coordinator.backends.incarnation import RequestCounter
from boardroom.coordinator.backends.latency import HitWindow, LatencyWindow, mean_and_p95_ms, percent
from boardroom.engine.errors import EngineError, EngineTimeout, Unreachable
from boardroom.engine.metrics import EngineMetrics
from boardroom.engine.protocol import Engine

CHECK_SECONDS: Final = 5.0
CHECK_SECONDS_DOWN: Final = 1.0
HEALTH_SECONDS: Final = 10.0
"""LoRAX's /health waits behind a forward pass, and has no time-out of its own."""
METRICS_SECONDS: Final = 10.0
NEVER: Final = -1
"""The value of `settled` while any doubts remain."""


def metrics(checks: Iterable["HealthCheck"]) -> LoraxMetrics | None:
    """status.lorax.metrics over all servers that are up; None if none is."""
    up = [(c, c.counters) for c in checks if c.running and c.counters is not None]
    if not up:
        return None
    average, p95 = mean_and_p95_ms([c.latency.traffic() for c, _ in up])
    queues = [counters.queue_length for _, counters in up if counters.queue_length is not None]
    now = asyncio.get_running_loop().time()
    return LoraxMetrics(
        total_requests=sum(counters.requests for _, counters in up),
        failed_requests=sum(counters.failures for _, counters in up),
        average_latency_ms=average,
        p95_latency_ms=p95,
        queue_length=sum(queues) if queues else None,
        cache_hit_rate_percent=percent(c.hits.counts(now) for c, _ in up),
    )


class HealthCheck:
    """Checks a server every few seconds. Calls `on_change` after every check, and `on_restart` when an incarnation of
    LoRAX has ended, with whether that was seen before anything could be sent to the next one.

    A process ends in steps: its listener closes with its idle connections, answers in flight come seconds later, and
    then another process may be at the same address. So every broken connection is a doubt, and nothing is sent until a
    check has settled it: the same process goes on only if it answers, and has counted every request that it answered. A
    check that finds no LoRAX ends the incarnation; the next check that finds one begins another.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        on_restart: Callable[[bool], None] = lambda _seen: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self.on_restart = on_restart
        self.on_change = on_change
        self.running: bool | None = None
        """None before the first health check."""
        self.reason = "LoRAX has not been checked yet"
        self.error: EngineError | None = None
        """The error of the last check; None if LoRAX answered."""
        self.latency = LatencyWindow()
        self.hits = HitWindow()
        self.counters: EngineMetrics | None = None
        self._check_now = asyncio.Event()
        self._counted: RequestCounter | None = None
        """The requests that this process has counted, which tell it from another process. None: unknown."""
        self._gone = False
        """Whether a check found no LoRAX, and no later check has found it."""
        self.doubts = 0
        """The number of connections that broke."""
        self.settled = 0
        """The number of doubts that a check has settled."""

    @property
    def unsure(self) -> bool:
        """Whether another process may be at the address by now."""
        return self.doubts != self.settled

    @property
    def least(self) -> int | None:
        """The least number of requests that this process must have counted."""
        return self._counted.minimum if self._counted is not None else None

    def check_now(self) -> None:
        """Check at once, because something has happened at LoRAX."""
        self._check_now.set()

    def suspect(self) -> None:
        """Take in that a connection to LoRAX broke, as it does when the process ends."""
        was, self.doubts = self.unsure, self.doubts + 1
        self.check_now()
        if not was:
            self.on_change()

    def lost(self) -> None:
        """Take in that nothing listens any more: the process has ended, or is about to."""
        self._end()
        self.suspect()

    def note_answer(self, *, warm: int, answers: int = 1) -> None:
        """Count answers of this incarnation through adapters, `warm` of them without a wait for a load."""
        if self._counted is not None:
            self._counted.add_answers(answers)
        self.hits.add(asyncio.get_running_loop().time(), warm=warm, answers=answers)

    def note_probe(self, seconds: float) -> None:
        """Count a probe of this incarnation, and the seconds that it took in LoRAX."""
        if self._counted is not None:
            self._counted.add_answers(1)
        self.latency.add_probe(asyncio.get_running_loop().time(), seconds)

    async def run(self) -> None:
        """Check every few seconds, for ever."""
        while True:
            self._check_now.clear()
            await self.check()
            pause = CHECK_SECONDS if self.running else CHECK_SECONDS_DOWN
            try:
                await asyncio.wait_for(self._check_now.wait(), pause)
            except TimeoutError:
                continue
            await asyncio.sleep(CHECK_SECONDS_DOWN / 10)  # many questions may break at once: one check for all of them

    async def check(self) -> None:
        """Ask /health and /metrics once."""
        doubts = self.doubts
        try:
            await self._engine.health(HEALTH_SECONDS)
            counters = await self._scrape()
        except EngineError as error:
            # A health check that is only slow waits behind a load or a forward pass of the same process.
            if self.unsure or not isinstance(error, EngineTimeout):
                self._end()
            self.running, self.reason, self.error = False, str(error), error
        else:
            self._found(counters)
            self._gone = self._gone and self.doubts != doubts
            self.running, self.reason, self.error = True, "", None
        self.settled = doubts
        self.on_change()

    def resolve(self, doubts: int) -> None:
        """Take in the number of doubts that the leader's check has settled; NEVER: some remain."""
        self.settled = doubts

    def take_over(self) -> None:
        """Check from now on, as another coordinator did: whether the process is still the same is in doubt."""
        self.doubts += 1

    def set_remote(self, running: bool | None, reason: str, error: EngineError | None, least: int | None) -> None:
        """Take in the leader's check. `least` is the number of requests that the process must have counted."""
        self.running, self.reason, self.error = running, reason, error
        self._counted = None if least is None else RequestCounter(least)
        self._gone = False
        self.on_change()

    def mark_gone(self) -> None:
        """Take in that the server's pod has gone, so that no coordinator checks the server again."""
        error = Unreachable("the pod of this LoRAX server has gone")
        self.set_remote(False, str(error), error, None)

    async def _scrape(self) -> EngineMetrics | None:
        try:
            return await self._engine.metrics(METRICS_SECONDS)
        except EngineError:
            return None  # the last figures stand until the next check

    def _found(self, counters: EngineMetrics | None) -> None:
        """LoRAX answers: tell by its counters whether it is the process that is known, or another."""
        same = counters is None or self._counted is None or self._counted.is_same_process(counters.requests)
        uncounted = self._counted is None and counters is not None
        unverified = self.unsure and (counters is None or self._counted is None)
        if self._gone or uncounted or unverified or not same:
            self._begin(seen=same)
            self._counted = RequestCounter(counters.requests) if counters is not None else None
        if counters is not None:
            self.counters = counters
            self.latency.add_sample(asyncio.get_running_loop().time(), counters.duration)

    def _end(self) -> None:
        if not self._gone:
            self._gone = True
            self._begin(seen=True)

    def _begin(self, *, seen: bool) -> None:
        """Forget what was known of the process that has ended."""
        self.counters = self._counted = None
        self.latency.clear()
        self.hits.clear()
        self.on_restart(seen)
