"""Workers, which take boards from the queue and reconcile them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from boardroom.controller.serving.metrics import Metrics
from boardroom.controller.watch.queue import ShutDown, WorkQueue
from boardroom.kube.errors import ConflictError, KubeError
from boardroom.kube.kinds import Key

_log = logging.getLogger(__name__)
_STUCK_SECONDS: Final = 300.0
"""A reconcile makes a few dozen requests of at most 30 s each; after so long it hangs."""


@dataclass
class Workers:
    """Reconciles a bounded number of boards at once."""

    queue: WorkQueue[Key]
    reconcile: Callable[[Key], Awaitable[float | None]]
    metrics: Metrics
    clock: Callable[[], float]
    """Monotonic seconds."""
    _busy: dict[Key, float] = field(default_factory=dict)

    def start(self, count: int) -> list[asyncio.Task[None]]:
        """Start `count` workers; each ends when the queue is shut down."""
        self.metrics.observe_queue(lambda: len(self.queue), lambda: len(self._busy))
        return [asyncio.create_task(self._work(), name=f"worker {number}") for number in range(count)]

    def stuck(self) -> list[Key]:
        """The boards whose reconcile hangs."""
        now = self.clock()
        return [key for key, since in self._busy.items() if now - since > _STUCK_SECONDS]

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except ShutDown:
                return
            self._busy[key] = started = self.clock()
            try:
                await self._one(key)
            finally:
                del self._busy[key]
                self.metrics.duration.observe(self.clock() - started)
                self.queue.done(key)

    async def _one(self, key: Key) -> None:
        try:
            delay = await self.reconcile(key)
        except ConflictError as error:
            # Another writer came first; the retry has its version.
            self._failed(key, error, "conflict")
        except KubeError as error:
            self._failed(key, error, "api")
            _log.warning("board %s/%s: %s (HTTP %d); trying again", *key, error, error.status)
        except Exception as error:  # noqa: BLE001 (logged with its trace; see below)
            # One board's fault must not stop the others, and the next event or resync may resolve it.
            self._failed(key, error, "fault")
            _log.exception("board %s/%s: reconcile failed", *key)
        else:
            self.metrics.reconciles.labels("ok").inc()
            self.queue.forget(key)
            if delay is not None:
                self.queue.add_after(key, delay)

    def _failed(self, key: Key, error: Exception, cause: str) -> None:
        self.metrics.failed(cause)
        wait = error.retry_after if isinstance(error, KubeError) else None
        self.queue.add_rate_limited(key, at_least=wait or 0.0)
