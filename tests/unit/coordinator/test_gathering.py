"""Several coroutines at once, all or none."""

import asyncio

import pytest

from boardroom.coordinator.http.gathering import gather_all


async def later(value: int, turns: int) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


@pytest.mark.parametrize("turns", [(), (1,), (3, 1, 2)])
async def test_results_are_in_order(turns: tuple[int, ...]) -> None:
    assert await gather_all(later(i, count) for i, count in enumerate(turns)) == list(range(len(turns)))


async def test_the_first_that_raises_ends_the_others() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def waits() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def raises() -> None:
        await begun.wait()
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await gather_all([waits(), raises()])
    await asyncio.wait_for(ended.wait(), 10)
