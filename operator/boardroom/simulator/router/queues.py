"""Adapter queues and the set of active adapters, scheduled as in LoRAX (docs/lorax.md#idle-eviction).

The queues are plain state without waiting. The batcher and the loader change this state. The id alone identifies an
adapter. Source and token come from the adapter's first request, or from the first request after its eviction.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum

from boardroom.simulator.entry import Entry


class Status(Enum):
    """How far an adapter is with loading."""

    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    READY = "ready"
    ERRORED = "errored"


@dataclass(slots=True, eq=False)
class AdapterQueue:
    """The waiting requests of one adapter, oldest first."""

    adapter_id: str
    source: str
    api_token: str | None
    entries: deque[Entry] = field(default_factory=deque)
    status: Status = Status.DOWNLOADING
    cost: float | None = None
    """The adapter's share of the memory reserved for adapters; None until it is downloaded."""
    activated_at: float = 0.0
    offloading: bool = False
    """Whether the adapter's offload is queued and not done."""

    @property
    def can_start(self) -> bool:
        """Whether the adapter's oldest request may join a batch."""
        if not self.entries:
            return False
        return self.status is Status.READY or (self.offloading and self.entries[0].loses_adapter_at is not None)


@dataclass(frozen=True, slots=True)
class Changes:
    """The commands for the loader, in this order."""

    offload: tuple[AdapterQueue, ...]
    load: tuple[AdapterQueue, ...]


class AdapterQueues:
    """Pending adapters wait for a place on the GPU; active ones have one, or are being loaded."""

    def __init__(self, max_active: int, cycle_seconds: float) -> None:
        self._max_active = max_active
        self._cycle_seconds = cycle_seconds
        self._queues: dict[str, AdapterQueue] = {}
        self._pending: deque[AdapterQueue] = deque()
        self._active: deque[AdapterQueue] = deque()
        self._tracked: set[str] = set()
        self._memory_left = 1.0
        self.memory_is_short = False
        """Whether an adapter waits for memory that others use."""

    def __len__(self) -> int:
        """The number of waiting requests."""
        return sum(len(queue.entries) for queue in self._queues.values())

    def __contains__(self, queue: AdapterQueue) -> bool:
        return self._queues.get(queue.adapter_id) is queue

    @property
    def pending(self) -> Iterator[AdapterQueue]:
        """The adapters that wait for a place, in order of arrival."""
        return iter(self._pending)

    @property
    def active(self) -> Iterator[AdapterQueue]:
        """The adapters that have a place, in order of activation."""
        return iter(self._active)

    def knows(self, adapter_id: str) -> bool:
        """Whether the adapter is downloaded or being downloaded."""
        return adapter_id in self._queues

    def is_offloading(self, adapter_id: str) -> bool:
        """Whether the adapter is being offloaded."""
        queue = self._queues.get(adapter_id)
        return queue is not None and queue.offloading

    def append(self, entry: Entry) -> AdapterQueue | None:
        """Queue a request; return the queue if its adapter is new and must be downloaded."""
        queue = self._queues.get(entry.adapter_id)
        new = queue is None
        if queue is None:
            queue = AdapterQueue(entry.adapter_id, entry.adapter_source, entry.api_token)
            self._queues[entry.adapter_id] = queue
        if queue.adapter_id not in self._tracked:
            self._tracked.add(queue.adapter_id)
            self._pending.append(queue)
            queue.source, queue.api_token = entry.adapter_source, entry.api_token
        queue.entries.append(entry)
        return queue if new else None

    def put_back(self, entry: Entry) -> None:
        """Return a request to the front of its queue."""
        self._queues[entry.adapter_id].entries.appendleft(entry)

    def errored(self) -> list[AdapterQueue]:
        """Return the adapters whose download or load has failed, and whose requests have not been failed yet."""
        return [queue for queue in self._queues.values() if queue.status is Status.ERRORED]

    def untrack(self, queue: AdapterQueue) -> None:
        """Remove an adapter from the pending and the active ones."""
        for places in (self._active, self._pending):
            if queue in places:
                places.remove(queue)
        self._tracked.discard(queue.adapter_id)

    def forget(self, queue: AdapterQueue) -> None:
        """Remove the adapter altogether; the next request for it downloads again."""
        self.untrack(queue)
        self._queues.pop(queue.adapter_id, None)

    def update(self, in_use: Collection[str], now: float) -> Changes:
        """Make room for pending adapters and activate them.

        Each pending adapter evicts one idle active adapter, the longest active first, however many places are free.
        Then the longest active of all is evicted, idle or not, if it is not in use and its cycle time is over. Adapters
        are activated in order of arrival; the first that isn't downloaded or doesn't fit blocks the rest.
        """
        offload = self._idle(in_use)
        for queue in offload:
            self._active.remove(queue)
            self._tracked.discard(queue.adapter_id)
        offload += self._overdue(in_use, now)
        self._memory_left += sum(queue.cost or 0.0 for queue in offload)
        return Changes(tuple(offload), tuple(self._activate(now)))

    def next_entry(self, now: float) -> Entry | None:
        """Return the oldest request of a ready adapter; adapters within their cycle time come first."""
        ready = [queue for queue in self._active if queue.can_start]
        within = [queue for queue in ready if now - queue.activated_at < self._cycle_seconds]
        candidates = within or ready
        if not candidates:
            return None
        return min(candidates, key=lambda queue: queue.entries[0].queued_at).entries.popleft()

    def _idle(self, in_use: Collection[str]) -> list[AdapterQueue]:
        idle: list[AdapterQueue] = []
        for queue in self._active:
            if len(self._pending) <= len(idle):
                break
            if not queue.entries and queue.adapter_id not in in_use:
                idle.append(queue)
        return idle

    def _overdue(self, in_use: Collection[str], now: float) -> list[AdapterQueue]:
        if not self._active or not self._pending:
            return []
        first = self._active[0]
        if first.adapter_id in in_use or now - first.activated_at <= self._cycle_seconds:
            return []
        self._pending.append(self._active.popleft())
        return [first]

    def _activate(self, now: float) -> Iterator[AdapterQueue]:
        self.memory_is_short = False
        while self._pending and len(self._active) < self._max_active:
            queue = self._pending[0]
            if queue.cost is None:
                return
            if queue.cost > self._memory_left:
                self.memory_is_short = True
                return
            self._active.append(self._pending.popleft())
            queue.activated_at = now
            self._memory_left -= queue.cost
            yield queue
