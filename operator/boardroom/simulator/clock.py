"""Time as the simulator sees it: the event loop's, with waits stretched or shrunk."""

import asyncio


class Clock:
    """Waits `scale` real seconds for each simulated one: 1 is real time, 0.1 ten times faster, 0 no waiting at all.

    It runs on the event loop's own time, so a loop with virtual time (boardroom.simulator.virtual) makes it virtual.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def now(self) -> float:
        """Seconds since some moment in the past, as observers measure them: not scaled."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait so many simulated seconds; always gives the loop a turn."""
        await asyncio.sleep(seconds * self.scale)
