"""An event loop whose time advances only when no task can run: 10,000 simulated seconds take moments.

with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
    runner.run(main())
"""

import asyncio
import selectors
from asyncio import Future
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any


class _SkippingSelector(selectors.DefaultSelector):
    """Advances the clock to the next timer, where another selector would sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0
        """Number of running threads. Threads end in real time, so waiting takes real time while any thread runs."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.threads:
            return super().select(None)
        events = super().select(0)
        if not events:
            self.now += timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Timers fire in order and without waiting; sockets and threads work as in any loop."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> Future[Any]:  # type: ignore[override]  # typeshed's is generic in a TypeVarTuple
        future: Future[Any] = super().run_in_executor(executor, func, *args)
        self._skipping.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: Future[Any]) -> None:
        self._skipping.threads -= 1
