"""AdapterQueues: which adapter gets a place, which one loses it."""

from collections.abc import Iterable

from boardroom.simulator.entry import Entry, Sampling
from boardroom.simulator.router.queues import AdapterQueue, AdapterQueues, Status


def entry(adapter_id: str, queued_at: float = 0.0) -> Entry:
    return Entry(
        request_id=adapter_id,
        adapter_id=adapter_id,
        adapter_source="local",
        api_token=None,
        prompt="",
        question="",
        prompt_tokens=1,
        sampling=Sampling(max_new_tokens=1),
        queued_at=queued_at,
        on_change=lambda: None,
    )


def add(queues: AdapterQueues, adapter_id: str, cost: float | None = 0.0, queued_at: float = 0.0) -> AdapterQueue:
    queue = queues.append(entry(adapter_id, queued_at))
    assert queue is not None
    queue.cost = cost
    queue.status = Status.READY
    return queue


def ids(queues: Iterable[AdapterQueue]) -> list[str]:
    return [queue.adapter_id for queue in queues]


def next_adapters(queues: AdapterQueues, now: float) -> list[str]:
    """Those of all requests that get a place, in order."""
    return [entry.adapter_id for entry in iter(lambda: queues.next_entry(now), None)]


def resident(names: str, max_active: int = 100) -> AdapterQueues:
    """Queues whose adapters are active and idle, activated in order at time 0."""
    queues = AdapterQueues(max_active, cycle_seconds=2)
    for name in names:
        add(queues, name)
    queues.update((), now=0.0)
    while queues.next_entry(0.0):
        pass
    return queues


def test_only_the_first_request_of_an_adapter_orders_its_download() -> None:
    queues = AdapterQueues(10, 2)
    assert (queues.append(entry("a")) is not None, queues.append(entry("a"))) == (True, None)


def test_as_many_idle_adapters_go_as_adapters_are_pending_longest_active_first() -> None:
    queues = resident("abcd")
    add(queues, "x")
    add(queues, "y")
    changes = queues.update((), now=1.0)
    assert (ids(changes.offload), ids(changes.load)) == (["a", "b"], ["x", "y"])


def test_an_adapter_in_use_stays() -> None:
    queues = resident("ab")
    add(queues, "x")
    assert ids(queues.update(("a",), now=1.0).offload) == ["b"]


def test_an_adapter_with_waiting_requests_stays() -> None:
    queues = resident("ab")
    queues.append(entry("a"))
    add(queues, "x")
    assert ids(queues.update((), now=1.0).offload) == ["b"]


def test_without_a_pending_adapter_nothing_goes() -> None:
    queues = resident("ab")
    queues.append(entry("a"))
    changes = queues.update((), now=100.0)
    assert (changes.offload, changes.load) == ((), ())


def test_a_busy_adapter_beyond_its_cycle_makes_room_and_waits_again() -> None:
    queues = resident("a", max_active=1)
    queues.append(entry("a"))
    add(queues, "x")
    within = queues.update((), now=1.9)
    beyond = queues.update((), now=2.1)
    assert (ids(within.offload), ids(beyond.offload), ids(beyond.load), ids(queues.pending)) == (
        [],
        ["a"],
        ["x"],
        ["a"],
    )


def test_a_pending_adapter_that_is_not_downloaded_holds_up_the_ones_behind_it() -> None:
    queues = AdapterQueues(10, 2)
    add(queues, "slow", cost=None)
    add(queues, "fast")
    assert ids(queues.update((), now=0.0).load) == []


def test_an_adapter_that_does_not_fit_waits_until_memory_is_free() -> None:
    queues = AdapterQueues(10, 2)
    add(queues, "a", cost=0.6)
    add(queues, "b", cost=0.6)
    first = queues.update((), now=0.0)
    queues.next_entry(0.0)
    second = queues.update((), now=1.0)
    assert (ids(first.load), ids(second.offload), ids(second.load)) == (["a"], ["a"], ["b"])


def test_the_oldest_request_comes_first_whatever_its_adapter() -> None:
    queues = AdapterQueues(10, 2)
    add(queues, "young", queued_at=2.0)
    add(queues, "old", queued_at=1.0)
    queues.update((), now=2.0)
    assert next_adapters(queues, 2.0) == ["old", "young"]


def test_an_adapter_beyond_its_cycle_comes_after_those_within() -> None:
    queues = resident("a")
    queues.append(entry("a", queued_at=1.0))
    add(queues, "b", queued_at=2.0)
    queues.update(("a",), now=2.5)
    assert next_adapters(queues, 3.0) == ["b", "a"]


def test_an_adapter_that_is_not_ready_gives_no_request() -> None:
    queues = AdapterQueues(10, 2)
    add(queues, "a").status = Status.DOWNLOADED
    queues.update((), now=0.0)
    assert queues.next_entry(0.0) is None


def test_a_forgotten_adapter_is_new_again() -> None:
    queues = AdapterQueues(10, 2)
    queues.forget(add(queues, "a"))
    assert (len(queues), queues.append(entry("a")) is not None) == (0, True)
