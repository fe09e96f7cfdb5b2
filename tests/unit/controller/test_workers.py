"""Workers: failures are retried, faults affect one board only, and a hanging reconcile is noticed."""

import asyncio
from dataclasses import dataclass, field

import pytest

from boardroom.controller.serving.metrics import Metrics
from boardroom.controller.watch.queue import WorkQueue
from boardroom.controller.watch.workers import Workers
from boardroom.kube.errors import ConflictError, KubeError
from boardroom.kube.kinds import Key

KEY = ("team", "executive")


@dataclass
class Recorded(WorkQueue[Key]):
    """A queue that keeps what was asked of it later."""

    later: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(asyncio.get_running_loop().call_later)

    def add_after(self, key: Key, seconds: float) -> None:
        self.later.append(("after", seconds))

    def add_rate_limited(self, key: Key, at_least: float = 0.0) -> float:
        self.later.append(("rate limited", at_least))
        return at_least


async def work_once(outcome: float | Exception | None) -> tuple[list[tuple[str, float]], float]:
    """What one worker asks of the queue after a reconcile that ends so, and how many errors are counted."""
    queue, metrics = Recorded(), Metrics()

    async def reconcile(_: Key) -> float | None:
        queue.shut_down()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    queue.add(KEY)
    workers = Workers(queue, reconcile, metrics, lambda: 0.0)
    await asyncio.gather(*workers.start(1))
    return queue.later, metrics.registry.get_sample_value(
        "boardroom_operator_reconciles_total", {"outcome": "error"}
    ) or 0


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (None, ([], 0)),
        (60.0, ([("after", 60.0)], 0)),
        (KubeError(503, "busy", 7), ([("rate limited", 7.0)], 1)),
        (KubeError(0, "gone"), ([("rate limited", 0.0)], 1)),
        (ConflictError(409, "moved"), ([("rate limited", 0.0)], 1)),
        (ValueError("surprise"), ([("rate limited", 0.0)], 1)),
    ],
    ids=["done", "again", "patience", "unreachable", "conflict", "surprise"],
)
async def test_what_follows_a_reconcile(
    outcome: float | Exception | None, expected: tuple[list[tuple[str, float]], float]
) -> None:
    assert await work_once(outcome) == expected


async def test_a_reconcile_that_hangs_is_named() -> None:
    queue: WorkQueue[Key] = WorkQueue(asyncio.get_running_loop().call_later)
    release, times = asyncio.Event(), iter([0.0, 299.0, 301.0, 302.0])

    async def reconcile(_: Key) -> None:
        await release.wait()

    workers = Workers(queue, reconcile, Metrics(), lambda: next(times))
    tasks = workers.start(1)
    queue.add(KEY)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stuck = [workers.stuck(), workers.stuck()]
    release.set()
    queue.shut_down()
    await asyncio.gather(*tasks)
    assert stuck == [[], [KEY]]
