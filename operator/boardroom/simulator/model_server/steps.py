"""The log of forward passes and their requests: it proves that requests shared a batch."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from boardroom.simulator.entry import Entry

CAPACITY: Final = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """A forward pass; `at` and `duration` in seconds."""

    id: int
    kind: Literal["prefill", "decode"]
    at: float
    duration: float
    requests: tuple[tuple[str, str], ...]
    """(request id, adapter id) of each sequence; the base model's adapter id is ""."""

    def to_object(self) -> dict[str, Any]:
        """Return the step as GET /simulator/steps shows it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "at": self.at,
            "duration": self.duration,
            "requests": [{"request_id": request, "adapter_id": adapter} for request, adapter in self.requests],
        }


class StepLog:
    """The last 10,000 steps."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque(maxlen=CAPACITY)
        self._next = 1
        self.gpu_seconds = 0.0

    def record(self, kind: Literal["prefill", "decode"], at: float, duration: float, entries: Sequence[Entry]) -> None:
        """Add a step, and charge each request its share."""
        self.gpu_seconds += duration
        share = duration / len(entries)
        for entry in entries:
            entry.gpu_seconds += share
        requests = tuple((entry.request_id, entry.public_adapter_id) for entry in entries)
        self._steps.append(Step(self._next, kind, at, duration, requests))
        self._next += 1

    def since(self, step_id: int) -> list[Step]:
        """Return the steps after that one, oldest first."""
        return [step for step in self._steps if step.id > step_id]

    @property
    def last_id(self) -> int:
        """The id of the newest step; 0 before the first."""
        return self._next - 1
