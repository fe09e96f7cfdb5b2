"""The simulator's clock."""

import asyncio

import pytest

from boardroom.simulator.clock import Clock
from boardroom.simulator.virtual import VirtualTimeLoop


@pytest.mark.parametrize(("scale", "seconds"), [(1.0, 10.0), (0.1, 1.0), (0.0, 0.0)])
def test_a_wait_takes_its_share_of_the_loops_time(scale: float, seconds: float) -> None:
    async def main() -> float:
        clock = Clock(scale)
        before = clock.now()
        await clock.sleep(10)
        return clock.now() - before

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(main()) == pytest.approx(seconds)
