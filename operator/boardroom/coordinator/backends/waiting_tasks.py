"""The runs that wait for LoRAX to load adapters."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from boardroom.coordinator.backends.admission import Admission


class WaitingTasks:
    """Holds the tasks that wait, each with its server's admission. `on_change` gets the number of waiting tasks."""

    def __init__(self, on_change: Callable[[int], None] = lambda _count: None) -> None:
        self._admissions: dict[asyncio.Task[Any] | None, Admission] = {}
        self._on_change = on_change

    def admission_of(self, task: asyncio.Task[Any]) -> Admission | None:
        """The admission at which the task waits; None if it does not wait."""
        return self._admissions.get(task)

    @contextmanager
    def waiting(self, admission: Admission) -> Iterator[None]:
        """While inside, the current task waits at this admission."""
        task = asyncio.current_task()
        self._admissions[task] = admission
        self._on_change(len(self._admissions))
        try:
            yield
        finally:
            del self._admissions[task]
            self._on_change(len(self._admissions))
