"""Background jobs that go on until they are stopped."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

_LAST_PAUSE: Final = 30.0
_LOG = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]


class Jobs:
    """Jobs that are started one by one and stopped together."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, job: Job) -> None:
        """Run a job from now on."""
        self._tasks.add(asyncio.create_task(_kept_alive(name, job), name=name))

    async def stop(self) -> None:
        """Cancel all jobs, and return when they have ended."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kept_alive(name: str, job: Job) -> None:
    """Run a job for ever: a job that raises is logged and started again, so that the board goes on answering."""
    pause = 1.0
    while True:
        try:
            await job()
        except Exception:  # noqa: BLE001 (whatever it raised, the job must go on)
            _LOG.exception("a background job broke", extra={"job": name})
        await asyncio.sleep(pause)
        pause = min(_LAST_PAUSE, 2 * pause)
