"""The work queue has client-go's semantics; time is the test's own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from boardroom.controller.watch.queue import ShutDown, WorkQueue


@dataclass
class ManualTimer:
    at: float
    call: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True

    def when(self) -> float:
        return self.at


@dataclass
class ManualTime:
    now: float = 0.0
    timers: list[ManualTimer] = field(default_factory=list)

    def call_later(self, seconds: float, call: Callable[[], None]) -> ManualTimer:
        timer = ManualTimer(self.now + seconds, call)
        self.timers.append(timer)
        return timer

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        due = [t for t in self.timers if not t.cancelled and t.at <= self.now]
        self.timers = [t for t in self.timers if t not in due]
        for timer in due:
            timer.call()


@pytest.fixture
def time() -> ManualTime:
    return ManualTime()


@pytest.fixture
def queue(time: ManualTime) -> WorkQueue[str]:
    return WorkQueue(time.call_later, base_delay=1.0, max_delay=10.0)


async def test_a_key_added_twice_is_processed_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    assert len(queue) == 0


async def test_keys_come_in_the_order_of_their_first_adding(queue: WorkQueue[str]) -> None:
    for key in "bab":
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["b", "a"]


async def test_a_key_added_while_processed_comes_again_after_done_and_not_before(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"


async def test_a_key_not_added_meanwhile_does_not_come_again(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.done("a")
    assert len(queue) == 0


async def test_a_worker_that_waits_gets_a_key_added_later(queue: WorkQueue[str]) -> None:
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    assert await waiting == "a"


async def test_one_key_wakes_one_of_two_workers(queue: WorkQueue[str]) -> None:
    workers = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add("a")
    done, pending = await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
    assert ([task.result() for task in done], len(pending)) == (["a"], 1)
    queue.shut_down()
    assert isinstance((await asyncio.gather(*pending, return_exceptions=True))[0], ShutDown)


def test_a_delayed_key_is_ready_when_its_time_has_come(queue: WorkQueue[str], time: ManualTime) -> None:
    queue.add_after("a", 5)
    time.pass_(4)
    before = len(queue)
    time.pass_(1)
    assert (before, len(queue)) == (0, 1)


@pytest.mark.parametrize("delays", [(5, 2), (2, 5)])
def test_of_two_delays_the_earlier_counts(queue: WorkQueue[str], time: ManualTime, delays: tuple[int, int]) -> None:
    for delay in delays:
        queue.add_after("a", delay)
    time.pass_(2)
    first = len(queue)
    time.pass_(10)
    assert (first, len(queue)) == (1, 1)


def test_a_delay_of_nothing_is_now(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 0)
    assert len(queue) == 1


def test_failures_wait_twice_as_long_each_time_up_to_the_longest(queue: WorkQueue[str]) -> None:
    assert [queue.add_rate_limited("a") for _ in range(6)] == [1, 2, 4, 8, 10, 10]


def test_a_failure_waits_at_least_as_long_as_was_asked_for(queue: WorkQueue[str]) -> None:
    assert queue.add_rate_limited("a", at_least=30) == 30


def test_a_key_that_went_well_begins_anew(queue: WorkQueue[str]) -> None:
    queue.add_rate_limited("a")
    queue.forget("a")
    assert queue.add_rate_limited("a") == 1


def test_keys_back_off_on_their_own(queue: WorkQueue[str]) -> None:
    queue.add_rate_limited("a")
    assert queue.add_rate_limited("b") == 1


def test_a_thousand_failures_don_t_overflow(queue: WorkQueue[str]) -> None:
    assert [queue.add_rate_limited("a") for _ in range(1100)][-1] == 10


async def test_after_shut_down_nothing_is_taken_and_nothing_comes(queue: WorkQueue[str], time: ManualTime) -> None:
    queue.add("a")
    queue.add_after("b", 1)
    queue.shut_down()
    queue.add("c")
    time.pass_(2)
    assert len(queue) == 0
    with pytest.raises(ShutDown):
        await queue.get()
