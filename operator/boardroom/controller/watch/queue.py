"""A work queue with client-go's semantics: a key has one worker at a time, and is never forgotten meanwhile."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)


class Timer(Protocol):
    """A delayed call."""

    def cancel(self) -> None:
        """Cancel the call."""

    def when(self) -> float:
        """When the call is due, in seconds of the clock of `call_later`."""


CallLater = Callable[[float, Callable[[], None]], Timer]


class ShutDown(Exception):  # noqa: N818 (the end of the work, not an error)
    """The queue was shut down: no more work."""


class WorkQueue(Generic[K]):
    """Keys to work on, each once however often it is added.

    A key added while it is being processed is `dirty` and comes again after `done`. Failures come back after
    `base_delay` seconds, doubled with each up to `max_delay`.
    """

    def __init__(self, call_later: CallLater, *, base_delay: float = 0.05, max_delay: float = 60.0) -> None:
        self._call_later = call_later
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._ready: deque[K] = deque()
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, Timer] = {}
        self._wake = asyncio.Event()
        self._shut_down = False

    def __len__(self) -> int:
        """Keys that wait for a worker now."""
        return len(self._ready)

    def add(self, key: K) -> None:
        """Have the key processed, once more if it is being processed now."""
        if self._shut_down or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._ready.append(key)
            self._wake.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Add the key later; of several delays of one key the earliest counts."""
        if self._shut_down:
            return
        if seconds <= 0:
            self.add(key)
            return
        timer = self._call_later(seconds, lambda: self._due(key))
        waiting = self._timers.get(key)
        if waiting is not None and waiting.when() <= timer.when():
            timer.cancel()
            return
        if waiting is not None:
            waiting.cancel()
        self._timers[key] = timer

    def add_rate_limited(self, key: K, at_least: float = 0.0) -> float:
        """Add the key after its back-off, or after `at_least` seconds if that is longer; returns the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # 2**n of a large n is a number that no float holds.
        delay: float = max(min(self._base_delay * 2.0 ** min(failures, 32), self._max_delay), at_least)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure has the shortest back-off again."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key, which is then being processed until `done`; raises ShutDown when no more will come."""
        while not self._ready:
            if self._shut_down:
                raise ShutDown
            self._wake.clear()
            await self._wake.wait()
        key = self._ready.popleft()
        self._processing.add(key)
        self._dirty.discard(key)
        return key

    def done(self, key: K) -> None:
        """The key is no longer being processed; if it was added meanwhile, it is ready again."""
        self._processing.discard(key)
        if key in self._dirty:
            self._ready.append(key)
            self._wake.set()

    def shut_down(self) -> None:
        """Take no more keys and drop those that wait; `get` raises ShutDown from now on."""
        self._shut_down = True
        self._ready.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._wake.set()

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)
