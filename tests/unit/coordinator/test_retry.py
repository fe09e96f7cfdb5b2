"""A request that an engine refuses with 429 is sent again after a pause, while there is time."""

import asyncio

from boardroom.coordinator.backends.retry import OVERLOAD_WAITS, RETRY_ELSEWHERE, retry_on_overload
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.errors import EngineTimeout, InvalidRequest, Overloaded
from boardroom.simulator.virtual import VirtualTimeLoop


def test_each_pause_is_longer_than_the_one_before_and_the_last_one_ends_the_retries() -> None:
    async def pauses() -> list[float]:
        loop, waits = asyncio.get_running_loop(), iter(OVERLOAD_WAITS)
        taken: list[float] = []
        while True:
            began = loop.time()
            if not await retry_on_overload(waits, began + 3600, Metrics()):
                return taken
            taken.append(loop.time() - began)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        taken = runner.run(pauses())
    assert len(taken) == len(OVERLOAD_WAITS)
    assert all(0.5 * wait <= pause <= 1.5 * wait for pause, wait in zip(taken, OVERLOAD_WAITS, strict=True))


async def test_without_time_for_the_pause_nothing_is_sent_again() -> None:
    now = asyncio.get_running_loop().time()
    assert not await retry_on_overload(iter((1.0,)), now + 0.4, Metrics())


def test_another_server_is_asked_after_an_overload_and_not_after_the_questions_own_fault() -> None:
    assert issubclass(Overloaded, RETRY_ELSEWHERE)
    assert not issubclass(InvalidRequest, RETRY_ELSEWHERE)
    assert not issubclass(EngineTimeout, RETRY_ELSEWHERE)
