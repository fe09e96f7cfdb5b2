"""Proves adapters by one token each, in waves together with those that are loaded (LORAX.md, traps 0 and 1)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from boardroom.coordinator.adapters import AdapterBook
from boardroom.coordinator.admission import Admission
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.observer import Observer
from boardroom.coordinator.routes import OVERLOAD_WAITS
from boardroom.engine.errors import EngineError, Overloaded
from boardroom.engine.protocol import Engine, Generation, GenerationRequest

FIRST_LOAD_SECONDS: Final = 600.0
"""A probe is cut only after this: disconnecting while a load fails aborts LoRAX (trap 5)."""

ROUND_TOKENS: Final = (8, 16, 32, 64, 128)
"""After a wave the proved adapters are probed together until there was a moment at which all of them were speaking:
what speaks is loaded, and can't be evicted. Each round has them speak twice as long as the one before, soon longer than
the missing take to load. At most so many rounds: with fewer places than adapters there is no end.
"""

VET_SECONDS: Final = 5.0
"""How long a wave waits for the sidecar's word."""

REST_SECONDS: Final = 1.0
MAX_REST_SECONDS: Final = 16.0
"""Between waves; doubled after each that told nothing, because LoRAX is overloaded or going down."""

_LOG = logging.getLogger(__name__)


class Speech(NamedTuple):
    """When an adapter was speaking for a probe, on the event loop's clock."""

    began: float
    ended: float


def together(speeches: Iterable[Speech]) -> bool:
    """Whether there was a moment at which all of them were speaking."""
    all_ = list(speeches)
    return max((s.began for s in all_), default=0.0) <= min((s.ended for s in all_), default=0.0)


class Prober:
    """Probes on first sight, after a restart of LoRAX, on new files, and after a failure's back-off; else never."""

    def __init__(
        self,
        engine: Engine,
        *,
        book: AdapterBook,
        admission: Admission,
        observer: Observer,
        metrics: Metrics,
        look: Callable[[], Awaitable[None]],
    ) -> None:
        """`look` asks the sidecar, so that nothing is sent to what LoRAX would get silently wrong (trap 9)."""
        self._look = look
        self._engine = engine
        self._book = book
        self._admission = admission
        self._observer = observer
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._probes: set[asyncio.Task[Speech | None]] = set()
        self._count = 0
        self.idle = False
        """Whether every adapter that can be proved now has been."""

    def wake(self) -> None:
        """There may be something to prove."""
        self._wake.set()

    async def run(self, clock: Callable[[], float]) -> None:
        """Prove what can be proved, for ever. `clock` is the book's."""
        rest = REST_SECONDS
        while True:
            self._wake.clear()
            before = self._due()
            if self._observer.running and before:
                self.idle = False
                await self.wave()
                after = self._due()
                self.idle = not after
                if set(after) & set(before):
                    rest = REST_SECONDS if after != before else min(MAX_REST_SECONDS, 2 * rest)
                    await asyncio.sleep(rest)
            else:
                self.idle, rest = bool(self._observer.running), REST_SECONDS
                await self._sleep(clock)

    async def wave(self) -> None:
        """All unproved adapters at once together with the proved ones; then the proved ones again, because each load
        may have evicted one of them, until all have been speaking at once.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(VET_SECONDS):
                await self._look()
        async with self._admission.wave():
            await self._probe_all([*self._book.unproved(), *self._book.ready()], 1)
            silent: list[str] = []
            for tokens in ROUND_TOKENS:
                spoke = await self._probe_all(self._book.ready(), tokens)
                silent = [p for p, one in spoke.items() if p is not None and one is None and self._book.proved(p)]
                if not silent and together(one for one in spoke.values() if one is not None):
                    break
            self._book.doubt(silent)
        self._observer.look_soon()

    @property
    def under_way(self) -> frozenset[asyncio.Task[Speech | None]]:
        """The probes that are in LoRAX."""
        return frozenset(self._probes)

    def _due(self) -> list[str | None]:
        return [*self._book.unproved(), *([None] if self._admission.base_due else [])]

    async def _probe_all(self, paths: Iterable[str], tokens: int) -> dict[str | None, Speech | None]:
        """When each was speaking, None where none answered. Probes outlive whoever waits for them."""
        wanted: list[str | None] = [*paths, *([None] if self._admission.base_wanted else [])]
        tasks = {path: asyncio.create_task(self._probe(path, tokens)) for path in wanted}
        self._probes |= set(tasks.values())
        for task in tasks.values():
            task.add_done_callback(self._probes.discard)
        if tasks:
            await asyncio.wait(tasks.values())
        return {path: task.result() for path, task in tasks.items()}

    async def _probe(self, path: str | None, tokens: int) -> Speech | None:
        self._count += 1
        loop = asyncio.get_running_loop()
        asked = loop.time()
        request = GenerationRequest(
            request_id=f"probe-{self._count}",
            system="",
            prompt="Count from one to two hundred.",
            adapter_id=path,
            max_new_tokens=tokens,
        )
        try:
            generation = await self._generated(request)
        except EngineError as error:
            self._metrics.probes.labels(error.code).inc()
            self._failed(path, error)
            _LOG.warning("adapter probe failed", extra={"adapter": path, "cause": error.code, "error": str(error)})
            return None
        self._metrics.probes.labels("answered").inc()
        self._observer.note_probe((generation.total_ms or 0.0) / 1000)
        if path is None:
            self._admission.base_probed(None)
        else:
            self._book.answered(path, generation.queue_ms)
        ended = loop.time()
        seconds = ended - asked if generation.inference_ms is None else generation.inference_ms / 1000
        return Speech(max(asked, ended - seconds), ended)

    async def _generated(self, request: GenerationRequest) -> Generation:
        """Again after each 429 for a while: a LoRAX may take fewer requests at once than it has adapters."""
        for pause in OVERLOAD_WAITS:
            try:
                return await self._engine.generate(request, FIRST_LOAD_SECONDS)
            except Overloaded:
                self._metrics.probes.labels(Overloaded.code).inc()
                await asyncio.sleep(pause)
        return await self._engine.generate(request, FIRST_LOAD_SECONDS)

    def _failed(self, path: str | None, error: EngineError) -> None:
        if path is None:
            self._admission.base_probed(error)
        else:
            self._book.failed(path, error)

    async def _sleep(self, clock: Callable[[], float]) -> None:
        """Until woken, or until a failed adapter may be tried again."""
        retry = self._book.next_retry() if self._observer.running else None
        try:
            await asyncio.wait_for(self._wake.wait(), None if retry is None else max(REST_SECONDS, retry - clock()))
        except TimeoutError:
            return
