"""Proves adapters by one token each, in waves together with those that are loaded (LORAX.md, traps 0 and 1)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

from boardroom.coordinator.backends.active_adapters import Crowd, Speech, most_at_once, together
from boardroom.coordinator.backends.adapter_failures import no_memory, no_permit
from boardroom.coordinator.backends.adapter_state import AdapterRegistry
from boardroom.coordinator.backends.admission import Admission
from boardroom.coordinator.backends.health_check import HealthCheck
from boardroom.coordinator.backends.incarnation import Asked
from boardroom.coordinator.backends.routes import OVERLOAD_WAITS
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.errors import EngineError, Overloaded
from boardroom.engine.protocol import Engine, Generation, GenerationRequest

FIRST_LOAD_SECONDS: Final = 600.0
"""A probe is cut only after this: disconnecting while a load fails aborts LoRAX (trap 5)."""

ROUND_TOKENS: Final = (8, 16, 32, 64, 128)
"""After a wave the proved adapters are probed together until there was a moment at which all of them were speaking:
what speaks is loaded, and can't be evicted. Each round has them speak twice as long as the one before, soon longer than
the missing take to load. At most so many rounds: with fewer places than adapters there is no end.
"""

OVERLOAD_SECONDS: Final = 120.0
"""How long a probe is asked again after 429: as long as a question may take, whose place it needs."""

VET_SECONDS: Final = 5.0
"""How long a wave waits for the sidecar's word."""

REST_SECONDS: Final = 1.0
MAX_REST_SECONDS: Final = 16.0
"""Between waves; doubled after each that told nothing, because LoRAX is overloaded or going down."""

_LOG = logging.getLogger(__name__)


class Prober:
    """Probes on first sight, after a restart of LoRAX, on new files, and after a failure's back-off; else never."""

    def __init__(
        self,
        engine: Engine,
        *,
        book: AdapterRegistry,
        admission: Admission,
        health_check: HealthCheck,
        metrics: Metrics,
        look: Callable[[], Awaitable[None]],
        on_failure: Callable[[str | None, EngineError, Asked], None],
    ) -> None:
        """`look` asks the sidecar, so that nothing is sent to what LoRAX would get silently wrong (trap 9).
        `on_failure` hears what came of a probe that failed.
        """
        self._look, self._on_failure = look, on_failure
        self._engine = engine
        self._book = book
        self._admission = admission
        self._health_check = health_check
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._probes: set[asyncio.Task[Speech | None]] = set()
        self._count = 0
        self._refused = False
        """Whether LoRAX refused a probe of this round for having too many."""
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
            there = bool(self._health_check.running) and not self._health_check.unsure
            if there and before:
                self.idle = False
                await self.wave()
                after = self._due()
                self.idle = not after
                if set(after) & set(before):
                    rest = REST_SECONDS if after != before else min(MAX_REST_SECONDS, 2 * rest)
                    await asyncio.sleep(rest)
            else:
                self.idle, rest = there, REST_SECONDS
                await self._sleep(clock)

    async def wave(self) -> None:
        """All unproved adapters at once together with the proved ones; then the proved ones again, because each load
        may have evicted one of them, until all have been speaking at once.
        """
        await self._vet()
        async with self._admission.wave():
            self._book.load()
            await self._probe_all(self._wanted(), 1)
            while crowd := await self._speak():
                self._crowd_out(crowd)
            self._book.loaded()
            if not self._book.unseen():
                await self._vet()
        self._health_check.check_now()

    def _wanted(self) -> list[str]:
        return [*self._book.unproved(), *self._book.ready()]

    async def _vet(self) -> None:
        """What lies there: before the loads, and again after them, because files may change meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(VET_SECONDS):
                await self._look()

    async def _speak(self) -> Crowd | None:
        """Have the proved adapters speak, for longer and longer, until all of them do at once. Where they never can,
        those that can.
        """
        incarnation = self._book.incarnation
        silent: list[str] = []
        speeches: dict[str | None, Speech] = {}
        for tokens in ROUND_TOKENS:
            if tokens == ROUND_TOKENS[-1]:
                await self._admission.ended()  # a question in LoRAX takes a place that one of these lacks
            self._refused = False
            spoke = await self._probe_all(self._book.ready(), tokens)
            if self._book.incarnation != incarnation:
                return None
            speeches = {path: one for path, one in spoke.items() if one is not None}
            silent = [p for p, one in spoke.items() if p is not None and one is None and self._book.proved(p)]
            if not silent and together(speeches.values()):
                return None
        self._book.doubt(silent)
        # A probe that failed may have loaded its adapter all the same, and pushed out another: the rest speaks again.
        most = frozenset(speeches) if silent else most_at_once(speeches)
        return None if not silent and len(most) == len(speeches) else Crowd(most, refused=self._refused)

    def _crowd_out(self, crowd: Crowd) -> None:
        """Keep those that LoRAX can serve together: for the others it would take these away, in mid-answer too."""
        together = len(crowd.together - {None})
        asked = self._book.asked(None)
        for path in self._book.ready():
            if path not in crowd.together:
                error = no_permit(path, together) if crowd.refused else no_memory(path, together)
                _LOG.warning("LoRAX can't serve all adapters together", extra={"adapter": path, "error": str(error)})
                self._book.failed(path, error, asked)

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
        asked = self._book.asked(path)
        request = GenerationRequest(
            request_id=f"probe-{self._count}",
            system="",
            prompt="Count from one to two hundred.",
            adapter_id=path,
            max_new_tokens=tokens,
        )
        try:
            generation, left = await self._generated(request)
        except EngineError as error:
            self._metrics.probes.labels(error.code).inc()
            self._on_failure(path, error, asked)
            _LOG.warning("adapter probe failed", extra={"adapter": path, "cause": error.code, "error": str(error)})
            return None
        self._metrics.probes.labels("answered").inc()
        if asked.incarnation != self._book.incarnation:
            return None  # it has ended since, and what it said proves nothing of the next
        self._health_check.note_probe((generation.total_ms or 0.0) / 1000)
        if path is None:
            self._admission.base_probed(None, asked)
        else:
            self._book.answered(path, generation.queue_ms, asked)
        return Speech.of(generation, left, loop.time())

    async def _generated(self, request: GenerationRequest) -> tuple[Generation, float]:
        """The answer, and when it was asked for in the end: again after each 429, because questions that are being
        answered take places too, and end.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + OVERLOAD_SECONDS
        pauses = iter(OVERLOAD_WAITS)
        while True:
            left = loop.time()
            try:
                return await self._engine.generate(request, FIRST_LOAD_SECONDS), left
            except Overloaded:
                self._refused = True
                self._metrics.probes.labels(Overloaded.code).inc()
                if left >= until:
                    raise
                await asyncio.sleep(next(pauses, OVERLOAD_WAITS[-1]))

    async def _sleep(self, clock: Callable[[], float]) -> None:
        """Until woken, or until a failed adapter may be tried again."""
        retry = self._book.next_retry() if self._health_check.running else None
        try:
            await asyncio.wait_for(self._wake.wait(), None if retry is None else max(REST_SECONDS, retry - clock()))
        except TimeoutError:
            return
