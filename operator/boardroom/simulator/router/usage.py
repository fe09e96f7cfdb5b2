"""GPU-seconds of each request and of each adapter."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final

from boardroom.simulator.entry import Entry

CAPACITY: Final = 10_000


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage of one request; times in seconds, `outcome` is "ok", "failed" or "dropped"."""

    number: int
    request_id: str
    adapter_id: str
    prompt_tokens: int
    generated_tokens: int
    queue_seconds: float | None
    gpu_seconds: float
    outcome: str


class Ledger:
    """Has the last 10,000 requests, and sums by adapter since the start."""

    def __init__(self) -> None:
        self._requests: deque[Usage] = deque(maxlen=CAPACITY)
        self._by_adapter: dict[str, float] = {}
        self._number = 0

    def record(self, entry: Entry) -> None:
        """Record a request that has ended or is abandoned."""
        self._number += 1
        outcome = "dropped" if not entry.done else "ok" if entry.error is None else "failed"
        queued = None if entry.started_at is None else entry.started_at - entry.queued_at
        adapter_id, seconds = entry.public_adapter_id, entry.gpu_seconds
        self._requests.append(
            Usage(
                self._number, entry.request_id, adapter_id, entry.prompt_tokens, entry.emitted, queued, seconds, outcome
            )
        )
        if seconds:
            self._by_adapter[adapter_id] = self._by_adapter.get(adapter_id, 0.0) + seconds

    def since(self, number: int) -> dict[str, Any]:
        """Return the body of GET /simulator/usage: the requests after that one, oldest first."""
        return {
            "last": self._number,
            "by_adapter": self._by_adapter,
            "requests": [asdict(usage) for usage in self._requests if usage.number > number],
        }
