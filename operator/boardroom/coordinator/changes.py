"""The signal that something about the board has changed."""

import asyncio


class Changes:
    """Counts changes, so that no waiting task misses one.

    `notify` counts at once: a comparison of generations shows a change before the next await. A waiting task acts on
    the changes, and takes all changes since its last wait together.
    """

    def __init__(self) -> None:
        self.generation = 1
        """The number of changes, from 1; a peer without any state has 0."""
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Something changed."""
        self.generation += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, generation: int) -> int:
        """Waits until the generation differs from this one, and returns it."""
        while self.generation == generation:
            await self._changed.wait()
        return self.generation
