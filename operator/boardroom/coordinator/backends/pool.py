"""The LoRAX servers of a board, as their pods come and go."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final

from boardroom.adapters.protocol import DesiredSources
from boardroom.coordinator.backends.adapter_state import AdapterPhase
from boardroom.coordinator.backends.adapter_summary import AdapterSummary
from boardroom.coordinator.backends.adapter_versions import BackendAdapters, files_by_adapter
from boardroom.coordinator.backends.backend import Backend
from boardroom.coordinator.backends.circuit_breaker import CircuitBreaker
from boardroom.coordinator.backends.endpoints import Endpoint, Endpoints
from boardroom.coordinator.backends.load_balancing import choose
from boardroom.coordinator.backends.lorax_route import LoraxRoute
from boardroom.coordinator.backends.quarantine import Quarantine
from boardroom.coordinator.backends.sidecar import SidecarClient, SidecarReport
from boardroom.coordinator.backends.waiting_tasks import WaitingTasks
from boardroom.coordinator.board.roster import Roster
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.jobs import Jobs
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.lorax.driver import LoraxEngine
from boardroom.engine.protocol import Engine
from boardroom.telemetry.tracing import OFF, Tracer

REFRESH_SECONDS: Final = 5.0
"""The seconds that a question waits for the sidecar's first report on an adapter."""

NO_POD: Final = "LoRAX has no pod"
_LOG = logging.getLogger(__name__)

Sidecars = Callable[[str, Callable[[], DesiredSources | None]], SidecarClient]
"""Makes a client of the sidecar at a URL; the second argument tells what that sidecar is to fetch."""


async def _nobody_else(_backend: Backend) -> None:
    return


def _nothing() -> None:
    return


class BackendPool:
    """Holds a Backend for each server that is found. Only the pool grants this coordinator to send to the servers.

    The pool notifies `changes` when something about a server has changed. The pool calls `resolve` at once when a
    sidecar has reported or the leader has told its state: `resolve` calls `keep`, before anything relies on that
    report. The pool awaits `before_wave` before a server loads adapters: `before_wave` returns when no other
    coordinator sends to that server.
    `wanted` tells what the sidecars are to fetch, None until that is known.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        engine: Callable[[str], Engine],
        sidecar: Sidecars = SidecarClient,
        *,
        changes: Changes,
        metrics: Metrics,
        tracer: Tracer = OFF,
        resolve: Callable[[], None] = _nothing,
        before_wave: Callable[[Backend], Awaitable[None]] = _nobody_else,
        wanted: Callable[[], DesiredSources | None] = _nothing,
    ) -> None:
        self.backends: dict[str, Backend] = {}
        self.breaker = CircuitBreaker(metrics.breaker_open.set)
        self.held = WaitingTasks(metrics.held.set)
        self._quarantine = Quarantine()
        self._changes = changes
        self._resolve, self._before_wave, self._wanted = resolve, before_wave, wanted
        self._granted_until = math.inf
        self.schema: Final = LoraxEngine.schema
        """Rewrites a JSON schema as these servers take it; raises SchemaRefused."""
        self._endpoints, self._engine, self._sidecar = endpoints, engine, sidecar
        self._synced: tuple[Endpoint, ...] | None = None
        """The endpoints of the backends."""
        self._metrics, self._tracer = metrics, tracer
        self._paths: set[str] = set()
        """The adapters that serve members."""
        self._jobs = Jobs()
        self._closing: set[asyncio.Task[None]] = set()
        self._watching = False
        self.cut_off = ""
        """Why the leader grants nothing, so that nothing is sent; empty if it does, or if this coordinator leads."""
        self.sync()

    @property
    def known(self) -> bool:
        """Whether the endpoints of the servers are known."""
        return self._synced is not None

    @property
    def adapters(self) -> AdapterSummary:
        """The adapters on all servers."""
        return AdapterSummary([backend.registry for backend in self.backends.values()])

    @property
    def servers(self) -> list[BackendAdapters]:
        """Each server's last report of its sidecar, and its adapters."""
        return [BackendAdapters(backend.report, backend.registry) for backend in self.backends.values()]

    @property
    def running(self) -> bool | None:
        """Whether a server answers; None before the first health check."""
        states = {backend.health_check.running for backend in self.backends.values()}
        if True in states:
            return True
        return None if None in states or not self.known else False

    @property
    def reason(self) -> str:
        """Why the first of the servers that don't answer does not; empty if all do."""
        reasons = [b.health_check.reason for b in self.backends.values() if not b.health_check.running]
        return reasons[0] if reasons else "" if self.backends else NO_POD

    @property
    def settling(self) -> bool:
        """Whether a server that is up still has adapters to verify."""
        return any(b.health_check.running and not b.prober.idle for b in self.backends.values())

    def choose(self, paths: Sequence[str | None], besides: LoraxRoute | None = None) -> LoraxRoute | None:
        """The route to the best server for a batch of these adapters (None: the base model); None without a server.

        With `besides`, only a server that is up, and not the one of that route.
        """
        candidates = [
            backend
            for backend in self.backends.values()
            if besides is None or (backend.route is not besides and backend.health_check.running)
        ]
        if len(candidates) == 1:
            return candidates[0].route
        key = choose(backend.candidate(paths) for backend in candidates)
        return None if key is None else self.backends[key].route

    def keep(self, roster: Roster, in_use: set[str | None]) -> None:
        """Keep the adapters of a resolved roster, and those that questions in flight still use; forget the others."""
        self._paths = roster.adapter_ids
        for backend in self.backends.values():
            backend.keep(roster.all_adapter_ids | in_use, files_by_adapter(roster, backend.report))
        self._count()

    async def refresh_unknown(self, seconds: float) -> None:
        """Have the sidecars report on adapters that no report has named yet; waits `seconds`, but not over 5."""
        if needs_refresh := [backend for backend in self.backends.values() if backend.needs_refresh]:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, REFRESH_SECONDS)):
                    await asyncio.gather(*(backend.refresh_unknown() for backend in needs_refresh))

    def start(self) -> None:
        """Follow the endpoints from now on."""
        self._jobs.start("endpoints", self._endpoints.run)

    def lead(self) -> None:
        """Watch over the servers from now on: check their health, load adapters and verify them."""
        self._watching, self.cut_off = True, ""
        for backend in self.backends.values():
            backend.start()
        self._changed()

    async def follow(self) -> None:
        """Stop watching over the servers, and send nothing until the leader grants it."""
        self._watching = False
        self.grant(-math.inf)
        for backend in list(self.backends.values()):
            await backend.stop()

    def cut(self, reason: str) -> None:
        """No leader grants this coordinator to send any more: what waits is told the reason once its grant is over."""
        self.cut_off = reason
        for backend in self.backends.values():
            backend.admission.cut(reason)
        self._changed()

    def grant(self, until: float, keys: Collection[str] | None = None) -> None:
        """Let requests leave until then (time.monotonic) for the servers with these keys, and for no other. Without
        keys: for every server, also one that is still to come.
        """
        was_cut_off, self.cut_off = self.cut_off, ""
        self._granted_until = until if keys is None else -math.inf
        for key, backend in self.backends.items():
            backend.admission.grant(until if keys is None or key in keys else -math.inf)
        if was_cut_off:
            self._changed()

    def set_reports(self, reports: Mapping[str, SidecarReport | None]) -> None:
        """Take in the sidecars' reports as the leader has them, by the servers' keys."""
        for key in reports.keys() & self.backends.keys():
            self.backends[key].set_report(reports[key])
        self.resolve()

    def resolve(self) -> None:
        """Have the coordinator decide now which versions serve."""
        self._resolve()

    async def close(self, seconds: float) -> None:
        """Close every connection; loads may go on for `seconds`."""
        await self._jobs.stop()
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await asyncio.gather(*(backend.close(seconds) for backend in self.backends.values()))

    def sync(self) -> None:
        """Make a backend for each server that came, and close those of servers that have gone."""
        if self._endpoints.found is None or self._endpoints.found == self._synced:
            return
        self._synced = self._endpoints.found
        endpoints = {endpoint.key: endpoint for endpoint in self._synced}
        for key in self.backends.keys() - endpoints.keys():
            backend = self.backends.pop(key)
            _LOG.info("a LoRAX server has gone", extra={"replica": backend.endpoint.name})
            self._closing.add(task := asyncio.create_task(backend.close()))
            task.add_done_callback(self._closing.discard)
        for key, endpoint in endpoints.items():
            if key in self.backends:
                self.backends[key].set_endpoint(endpoint)
            else:
                self._add(endpoint)
        self._changed()

    def _add(self, endpoint: Endpoint) -> None:
        backend = self.backends[endpoint.key] = Backend(
            endpoint,
            self._engine(endpoint.url),
            self._sidecar(endpoint.adapters_url, self._wanted) if endpoint.adapters_url else None,
            metrics=self._metrics,
            tracer=self._tracer,
            held=self.held,
            quarantine=self._quarantine,
            on_change=self._changed,
            on_report=self._resolve,
            before_wave=self._before_wave,
        )
        backend.admission.grant(self._granted_until)
        _LOG.info("a LoRAX server has come", extra={"replica": endpoint.name, "url": endpoint.url})
        if self._watching:
            backend.start()

    def _changed(self) -> None:
        self._count()
        running = [b for b in self.backends.values() if b.health_check.running]
        if self.cut_off:
            self.breaker.trip(self.cut_off)
        elif not running and self.running is False:
            self.breaker.trip(f"LoRAX is down: {self.reason}")
        elif any(b.registry.ready() or not b.registry.states for b in running):
            self.breaker.reset()
        self._changes.notify()

    def _count(self) -> None:
        adapters = self.adapters
        states = [adapters[path].best.phase for path in self._paths]
        for state in AdapterPhase:
            self._metrics.adapters.labels(state).set(states.count(state))
        self._metrics.lorax_up.set(bool(self.running))
        self._metrics.lorax_servers.set(sum(bool(b.health_check.running) for b in self.backends.values()))
