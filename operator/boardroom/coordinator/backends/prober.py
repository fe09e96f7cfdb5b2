"""Probes adapters with one token each, in waves together with those that are loaded: adapters that are
probed one by one evict each other (docs/lorax.md#probe-is-a-load).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

from boardroom.coordinator.backends.active_adapters import ActiveSet, ActiveWindow, largest_overlap, overlap
from boardroom.coordinator.backends.adapter_failures import no_memory, no_permit
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.admission import Admission
from boardroom.coordinator.backends.health_check import HealthCheck
from boardroom.coordinator.backends.incarnation import RequestTarget
from boardroom.coordinator.backends.retry import OVERLOAD_WAITS
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.errors import EngineError, Overloaded
from boardroom.engine.protocol import Engine, Generation, GenerationRequest

FIRST_LOAD_SECONDS: Final = 600.0
"""A probe is cancelled only after this: a client that disconnects while a load fails aborts LoRAX
(docs/lorax.md#disconnect-abort).
"""

ROUND_TOKENS: Final = (8, 16, 32, 64, 128)
"""After a wave the ready adapters are probed together until all of them generated at the same moment: an adapter that
generates is loaded and can't be evicted. Each round lasts twice as long as the one before, soon longer than the missing
adapters take to load. The number of rounds is bounded, because with fewer places than adapters none succeeds.
"""

OVERLOAD_SECONDS: Final = 120.0
"""The seconds for which a probe is repeated after 429: a question may hold the probe's place for this time."""

REFRESH_SECONDS: Final = 5.0
"""The seconds that a wave waits for the sidecar's report."""

REST_SECONDS: Final = 1.0
MAX_REST_SECONDS: Final = 16.0
"""Between waves; doubled after each wave without a result, because LoRAX is overloaded or going down."""

_LOG = logging.getLogger(__name__)


class Prober:
    """Probes on first sight, after a restart of LoRAX, on new files, and after a failure's back-off; else never."""

    def __init__(
        self,
        engine: Engine,
        *,
        registry: AdapterRegistry,
        admission: Admission,
        health_check: HealthCheck,
        metrics: Metrics,
        refresh_files: Callable[[], Awaitable[None]],
        on_failure: Callable[[str | None, EngineError, RequestTarget], None],
    ) -> None:
        """`refresh_files` asks the sidecar, so that no probe goes to an adapter that LoRAX would apply wrongly
        (docs/lorax.md#silent-peft-features). `on_failure` gets the adapter, the error and the target of a failed probe.
        """
        self._ask_sidecar, self._on_failure = refresh_files, on_failure
        self._engine = engine
        self._registry = registry
        self._admission = admission
        self._health_check = health_check
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._probes: set[asyncio.Task[ActiveWindow | None]] = set()
        self._count = 0
        self._refused = False
        """Whether LoRAX refused a probe of this round for having too many."""
        self.idle = False
        """Whether every adapter that can be verified now is verified."""

    def begin(self) -> None:
        """Begin: nothing is verified yet, because another coordinator watched over the server."""
        self.idle = False

    def wake(self) -> None:
        """Look for unverified adapters at once."""
        self._wake.set()

    async def run(self, clock: Callable[[], float]) -> None:
        """Verify adapters, for ever. `clock` is the registry's."""
        rest = REST_SECONDS
        while True:
            self._wake.clear()
            before = self._registry.unverified()
            there = bool(self._health_check.running) and not self._health_check.unsure
            if there and before:
                self.idle = False
                await self.wave()
                after = self._registry.unverified()
                self.idle = not after
                if set(after) & set(before):
                    rest = REST_SECONDS if after != before else min(MAX_REST_SECONDS, 2 * rest)
                    await asyncio.sleep(rest)
            else:
                self.idle, rest = there, REST_SECONDS
                await self._sleep(clock)

    async def wave(self) -> None:
        """Probe all unverified adapters at once together with the ready ones, then the ready ones again until all
        generated at the same moment: each load may have evicted one of them.
        """
        await self._refresh_files()
        async with self._admission.wave():
            self._registry.loads_started()
            await self._probe_all([*self._registry.unverified(), *self._registry.ready()], 1)
            while active := await self._verify_together():
                self._exclude_others(active)
            self._registry.loads_finished()
            if not self._registry.lacks_files():
                await self._refresh_files()
        self._health_check.check_now()

    async def _refresh_files(self) -> None:
        """Read what lies on disk, before the loads and again after them, because files may change meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_SECONDS):
                await self._ask_sidecar()

    async def _verify_together(self) -> ActiveSet | None:
        """Probe the ready adapters, for longer and longer, until all generate at once. If they never do, returns the
        largest set that did.
        """
        incarnation = self._registry.incarnation
        unanswered: list[str | None] = []
        windows: dict[str | None, ActiveWindow] = {}
        for tokens in ROUND_TOKENS:
            if tokens == ROUND_TOKENS[-1]:
                await self._admission.drain()  # a question in LoRAX takes a place that one of these lacks
            self._refused = False
            probed = await self._probe_all(self._registry.ready(), tokens)
            if self._registry.incarnation != incarnation:
                return None
            windows = {path: window for path, window in probed.items() if window is not None}
            unanswered = [p for p, window in probed.items() if window is None and self._registry.is_ready(p)]
            if not unanswered and overlap(windows.values()):
                return None
        self._registry.invalidate(unanswered)
        # A failed probe may have loaded its adapter and evicted another one: the rest is probed again.
        largest = frozenset(windows) if unanswered else largest_overlap(windows)
        return (
            None
            if not unanswered and len(largest) == len(windows)
            else ActiveSet(largest, requests_refused=self._refused)
        )

    def _exclude_others(self, active: ActiveSet) -> None:
        """Keep the adapters that LoRAX can serve together: for others it would evict these, in mid-answer too."""
        loaded = len(active.paths - {None})
        target = self._registry.target(None)
        for path in self._registry.ready():
            if path not in active.paths:
                error = no_permit(path, loaded) if active.requests_refused else no_memory(path, loaded)
                _LOG.warning("LoRAX can't serve all adapters together", extra={"adapter": path, "error": str(error)})
                self._registry.record_failure(path, error, target)

    @property
    def under_way(self) -> frozenset[asyncio.Task[ActiveWindow | None]]:
        """The probes that LoRAX has not answered yet."""
        return frozenset(self._probes)

    async def _probe_all(self, paths: Iterable[str | None], tokens: int) -> dict[str | None, ActiveWindow | None]:
        """The window in which each adapter generated; None: no answer. Probes outlive the task that waits for them."""
        tasks = {path: asyncio.create_task(self._probe(path, tokens)) for path in paths}
        self._probes |= set(tasks.values())
        for task in tasks.values():
            task.add_done_callback(self._probes.discard)
        if tasks:
            await asyncio.wait(tasks.values())
        return {path: task.result() for path, task in tasks.items()}

    async def _probe(self, path: str | None, tokens: int) -> ActiveWindow | None:
        self._count += 1
        loop = asyncio.get_running_loop()
        target = self._registry.target(path)
        request = GenerationRequest(
            request_id=f"probe-{self._count}",
            system="",
            prompt="Count from one to two hundred.",
            adapter_id=path,
            max_new_tokens=tokens,
        )
        try:
            generation, sent = await self._generate(request)
        except EngineError as error:
            self._metrics.probes.labels(error.code).inc()
            self._on_failure(path, error, target)
            _LOG.warning("adapter probe failed", extra={"adapter": path, "cause": error.code, "error": str(error)})
            return None
        self._metrics.probes.labels("answered").inc()
        if target.incarnation != self._registry.incarnation:
            return None  # the process has ended since, and its answer says nothing of the next one
        self._health_check.note_probe((generation.total_ms or 0.0) / 1000)
        self._registry.record_answer(path, generation.queue_ms, target)
        return ActiveWindow.of(generation, sent, loop.time())

    async def _generate(self, request: GenerationRequest) -> tuple[Generation, float]:
        """The answer, and when its request was sent. A probe is sent again after each 429: questions that are being
        answered hold places, and end.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + OVERLOAD_SECONDS
        pauses = iter(OVERLOAD_WAITS)
        while True:
            sent = loop.time()
            try:
                return await self._engine.generate(request, FIRST_LOAD_SECONDS), sent
            except Overloaded:
                self._refused = True
                self._metrics.probes.labels(Overloaded.code).inc()
                if sent >= until:
                    raise
                await asyncio.sleep(next(pauses, OVERLOAD_WAITS[-1]))

    async def _sleep(self, clock: Callable[[], float]) -> None:
        """Until woken, or until a failed adapter may be tried again."""
        retry = self._registry.next_retry() if self._health_check.running else None
        try:
            await asyncio.wait_for(self._wake.wait(), None if retry is None else max(REST_SECONDS, retry - clock()))
        except TimeoutError:
            return
