"""The runs that wait for LoRAX to load adapters."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from boardroom.coordinator.backends.admission import Admission


class Held:
    """Who waits, and at which server's gate. `on_change` is called with how many wait."""

    def __init__(self, on_change: Callable[[int], None] = lambda _count: None) -> None:
        self._gates: dict[asyncio.Task[Any] | None, Admission] = {}
        self._on_change = on_change

    def gate(self, task: asyncio.Task[Any]) -> Admission | None:
        """Where this task waits; None where it does not."""
        return self._gates.get(task)

    @contextmanager
    def at(self, gate: Admission) -> Iterator[None]:
        """While inside, the current task waits there."""
        task = asyncio.current_task()
        self._gates[task] = gate
        self._on_change(len(self._gates))
        try:
            yield
        finally:
            del self._gates[task]
            self._on_change(len(self._gates))
