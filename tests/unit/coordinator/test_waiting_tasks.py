"""Tasks that wait at a server's gate."""

import asyncio
from typing import Any, cast

from boardroom.coordinator.backends.admission import Admission
from boardroom.coordinator.backends.waiting_tasks import WaitingTasks

GATE = cast("Admission", object())


async def test_a_task_is_held_while_it_waits_and_each_change_is_told() -> None:
    counts: list[int] = []
    held = WaitingTasks(counts.append)
    here = cast("asyncio.Task[Any]", asyncio.current_task())
    with held.waiting(GATE):
        inside = held.admission_of(here)
    assert (inside, held.admission_of(here), counts) == (GATE, None, [1, 0])


async def test_tasks_are_counted_together_and_one_that_is_cancelled_waits_no_more() -> None:
    counts: list[int] = []
    held = WaitingTasks(counts.append)

    async def wait() -> None:
        with held.waiting(GATE):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(wait()) for _ in range(2)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert counts == [1, 2, 1, 0]
