"""The signal that something changed."""

import asyncio

from boardroom.coordinator.changes import Changes


async def test_a_change_that_comes_while_another_is_worked_on_is_not_missed() -> None:
    changes = Changes()
    worked_on = changes.generation
    changes.notify()
    async with asyncio.timeout(5):
        worked_on = await changes.after(worked_on)
        changes.notify()  # before anybody waits again
        assert await changes.after(worked_on) == worked_on + 1


async def test_a_change_counts_at_once_and_wakes_everybody_who_waits() -> None:
    changes = Changes()
    waiting = [asyncio.create_task(changes.after(changes.generation)) for _ in range(3)]
    await asyncio.sleep(0)
    before = changes.generation
    changes.notify()
    assert changes.generation == before + 1
    assert await asyncio.gather(*waiting) == 3 * [before + 1]


async def test_nobody_is_woken_without_a_change() -> None:
    changes = Changes()
    waiting = asyncio.create_task(changes.after(changes.generation))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
