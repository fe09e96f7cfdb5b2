"""Admits requests to adapters: no request of a question ever reaches an adapter that is leaving the GPU.

LoRAX evicts one idle adapter for each adapter that it loads (docs/lorax.md#idle-eviction), and a request that arrives
meanwhile may be answered by the base model without a sign (docs/lorax.md#stale-adapter-race). LoRAX does not tell what
is loaded, but nothing is loaded or evicted unless somebody asks for an adapter that is not there, and only we ask. So:

- Loading is the prober's work alone, in waves of one token that nobody reads; cold adapters of all questions that wait
  go in one wave, together with those that are loaded, until x-queue-time shows no load any more.
- A question's request leaves only while no wave is under way, and only to adapters that have answered a wave. Until
  then it is held; its deadline bounds that. Requests that are in LoRAX go on.
- A wave begins when the questions in LoRAX have ended: the adapter of one that waits there is not in use, and may be
  evicted under it; and short of memory LoRAX removes adapters in the middle of an answer
  (docs/lorax.md#mid-answer-eviction). A question that lasts for long is not waited for, and its answer says so, because
  the answer may not be its own.
- Nothing leaves while LoRAX may be another process than the one that answered those waves.

A question is therefore never a first load, and may be cancelled at any time (docs/lorax.md#disconnect-abort).
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.engine.errors import EngineError

AIR_SECONDS: Final = 1.0
"""A request that left longer ago has arrived in LoRAX, or is over; a packet that is lost twice costs 0.6 s."""
DRAIN_SECONDS: Final = 10.0
"""The seconds for which a wave waits for answers to end. Longer answers are not attributed to their adapter."""


async def _nothing() -> None:
    return


class Admission:
    """Holds requests to one LoRAX. `outage` is why LoRAX can't be asked, as far as known, and `unsure` whether another
    process may be there by now. `before_wave` returns when no other coordinator sends to LoRAX. `on_wave` is called
    when a wave begins and ends.
    """

    def __init__(
        self,
        registry: AdapterRegistry,
        *,
        outage: Callable[[], EngineError | None],
        unsure: Callable[[], bool] = lambda: False,
        before_wave: Callable[[], Awaitable[None]] = _nothing,
        on_wave: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry = registry
        self._outage, self._unsure = outage, unsure
        self._before_wave, self._on_wave = before_wave, on_wave
        self._changed = asyncio.Event()
        self._wave_under_way = False
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._last_sent = float("-inf")
        self.granted_until = math.inf
        """The end of this coordinator's grant (time.monotonic): other coordinators send too."""
        self.cut_off = ""
        """Why the grant is not renewed; empty if it is."""
        self.waves = 0
        """The number of waves, the one under way included."""
        self.waves_begun = 0
        """The number of waves that have begun."""

    @property
    def hold_reason(self) -> str:
        """The reason why requests wait here."""
        if self.cut_off and not self.granted:
            return f"{self.cut_off}, and nothing is sent to LoRAX meanwhile"
        if not self._wave_under_way and self._unsure():
            return "a connection to LoRAX broke, and nothing is sent until it is known whether it has started anew"
        return "LoRAX was still loading adapters, and nothing is sent meanwhile"

    def is_open_for(self, path: str | None) -> bool:
        """Whether a request to this adapter (None: the base model) may leave now."""
        return self.is_open and self.is_ready(path)

    @property
    def is_open(self) -> bool:
        """Whether requests may leave at all."""
        return not self._wave_under_way and self.granted and not self._unsure()

    @property
    def granted(self) -> bool:
        """Whether this coordinator may send to LoRAX now with regard to the other coordinators."""
        return time.monotonic() < self.granted_until

    def is_ready(self, path: str | None) -> bool:
        """Whether LoRAX has answered a wave since it started."""
        return self._registry.is_ready(path)

    async def admit(self, path: str | None) -> EngineError | None:
        """Wait until a request may leave. Returns the error if it may not, which is then the member's outcome.

        A load has no time limit here: the caller has a deadline and cancels.
        """
        while not self.is_open_for(path):
            error = self._no_admission(path) if self.is_open else None
            if error is not None:
                return error
            await self._changed.wait()
        return None

    def grant(self, until: float) -> None:
        """Let requests leave until this time (time.monotonic)."""
        self.granted_until, self.cut_off = until, ""
        self.wake()

    def cut(self, reason: str) -> None:
        """Record why the grant is not renewed: waiting requests get this reason after the grant has run out."""
        self.cut_off = reason

    def wake(self) -> None:
        """Something may have changed: held requests check again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def request_sent(self) -> None:
        """A request leaves for LoRAX."""
        self._in_flight += 1
        self._last_sent = asyncio.get_running_loop().time()

    def request_done(self) -> None:
        """A request to LoRAX has ended."""
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()
            self._idle = asyncio.Event()

    @asynccontextmanager
    async def wave(self) -> AsyncIterator[None]:
        """While inside, no request leaves; entered when all sent requests have ended, or after DRAIN_SECONDS."""
        self._wave_under_way = True
        self.waves += 1
        self._on_wave()
        try:
            await asyncio.gather(self.drain(), self._before_wave())
            self.waves_begun += 1
            self._on_wave()
            yield
        finally:
            self._wave_under_way = False
            self._on_wave()
            self.wake()

    async def wait_arrived(self) -> None:
        """Returns when every request that left has ended, or has certainly arrived in LoRAX (AIR_SECONDS)."""
        await self._wait_idle(self._last_sent + AIR_SECONDS)

    async def drain(self) -> None:
        """Returns when every request that left has ended, or after DRAIN_SECONDS."""
        await self._wait_idle(asyncio.get_running_loop().time() + DRAIN_SECONDS)

    async def _wait_idle(self, until: float) -> None:
        while self._in_flight and (remaining := until - asyncio.get_running_loop().time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), remaining)

    def observe_waves(self, begun: int) -> None:
        """Take in the number of waves that the leading coordinator has begun."""
        self.waves_begun = begun

    @property
    def wave_under_way(self) -> bool:
        """Whether a wave is under way."""
        return self._wave_under_way

    def _no_admission(self, path: str | None) -> EngineError | None:
        """Why waiting on would not help: the load failed, or LoRAX is not there to load anything."""
        return self._registry.block_reason(path) or self._outage()
