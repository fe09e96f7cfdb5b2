"""Work in the background that goes on until it is stopped."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

_LAST_PAUSE: Final = 30.0
_LOG = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]


class Jobs:
    """Started together or one by one, stopped together."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, job: Job) -> None:
        """Run it from now on."""
        self._tasks.add(asyncio.create_task(_kept_alive(name, job), name=name))

    async def stop(self) -> None:
        """Cancel them all, and return when they have ended."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kept_alive(name: str, job: Job) -> None:
    """A job that breaks by a fault of ours is said so and started again: the board goes on answering."""
    pause = 1.0
    while True:
        try:
            await job()
        except Exception:  # noqa: BLE001 (whatever broke, the job must go on)
            _LOG.exception("a background job broke", extra={"job": name})
        await asyncio.sleep(pause)
        pause = min(_LAST_PAUSE, 2 * pause)
