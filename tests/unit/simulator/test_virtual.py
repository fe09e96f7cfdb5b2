"""The loop on virtual time."""

import asyncio
import time

from boardroom.simulator.virtual import VirtualTimeLoop


def test_timers_fire_in_order_and_at_their_time() -> None:
    async def main() -> list[tuple[str, float]]:
        fired: list[tuple[str, float]] = []

        async def after(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            fired.append((name, asyncio.get_running_loop().time()))

        await asyncio.gather(after("late", 10_000), after("soon", 1.5), after("between", 60))
        return fired

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(main()) == [("soon", 1.5), ("between", 60.0), ("late", 10_000.0)]


def slow() -> str:
    time.sleep(0.05)
    return "done"


def test_a_thread_is_waited_for_in_real_time() -> None:
    async def main() -> str:
        async with asyncio.timeout(1):  # virtual: it would be over at once if a thread did not hold the clock
            return await asyncio.to_thread(slow)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(main()) == "done"
