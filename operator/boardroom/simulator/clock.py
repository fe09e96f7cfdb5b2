"""The simulator's time: that of the event loop, with waits scaled."""

import asyncio


class Clock:
    """Waits `scale` real seconds for each simulated one: 1 is real time, 0.1 ten times faster, 0 does not wait.

    The clock uses the event loop's time, so a loop with virtual time (boardroom.simulator.virtual) makes it virtual.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def now(self) -> float:
        """Return the event loop's time in seconds, unscaled, as observers measure it."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait so many simulated seconds; always yields to the loop."""
        await asyncio.sleep(seconds * self.scale)
