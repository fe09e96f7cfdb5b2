"""The signal that something about the board has changed."""

import asyncio


class Changes:
    """Counts changes, so that nobody who waits for one misses it.

    `notify` counts at once: whoever compares generations sees a change before the next await. What follows from it is
    up to those that wait, who work on all changes since they looked last together.
    """

    def __init__(self) -> None:
        self.generation = 1
        """How many changes there were; a peer that knows of none has 0."""
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Something changed."""
        self.generation += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, generation: int) -> int:
        """Waits until another generation than this one is there, and returns it."""
        while self.generation == generation:
            await self._changed.wait()
        return self.generation
