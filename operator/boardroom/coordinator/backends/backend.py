"""A LoRAX server: its adapters, health, admission, route and prober, and the client of its sidecar."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from boardroom.adapters.protocol import AdapterFiles
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.admission import Admission
from boardroom.coordinator.backends.endpoints import Endpoint
from boardroom.coordinator.backends.health_check import HealthCheck
from boardroom.coordinator.backends.incarnation import RequestTarget
from boardroom.coordinator.backends.load_balancing import Candidate
from boardroom.coordinator.backends.lorax_route import LoraxRoute
from boardroom.coordinator.backends.prober import Prober
from boardroom.coordinator.backends.quarantine import LossTracker, Quarantine
from boardroom.coordinator.backends.sidecar import POLL_SECONDS, SidecarClient, SidecarReport
from boardroom.coordinator.backends.waiting_tasks import WaitingTasks
from boardroom.coordinator.jobs import Jobs
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.errors import ConnectionLost, EngineError, Unreachable
from boardroom.engine.protocol import Engine
from boardroom.telemetry.tracing import Tracer

CLOSE_SECONDS: Final = 120.0
"""The seconds that requests may still take after their server's pod has gone."""
_AGAIN_SECONDS: Final = 0.2


@dataclass
class OutcomeDelta:
    """The outcomes of questions that the leader has not been told yet."""

    incarnation: str = ""
    """The server's incarnation that the questions were put to."""
    answers: int = 0
    warm: int = 0
    failures: dict[tuple[str | None, str], EngineError] = field(default_factory=dict)
    """The last error of each adapter and code: a forward pass that fails ends every question in it alike."""

    def count(self, *, warm: bool) -> None:
        """Count one answer; `warm` if it waited for no load."""
        self.answers += 1
        self.warm += warm

    def add(self, other: "OutcomeDelta") -> None:
        """Add outcomes that came before these."""
        self.answers += other.answers
        self.warm += other.warm
        self.failures = other.failures | self.failures


class Backend:
    """A LoRAX server as the pool sees it. The pool makes a backend when a pod comes, and closes it when the pod goes.

    The backend calls `on_change` when something about its server has changed, and `on_report` as soon as its sidecar
    has reported, before the report confirms anything. The backend awaits `before_wave` before the server loads
    adapters.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        engine: Engine,
        sidecar: SidecarClient | None,
        *,
        metrics: Metrics,
        tracer: Tracer,
        held: WaitingTasks,
        quarantine: Quarantine,
        on_change: Callable[[], None],
        on_report: Callable[[], None],
        before_wave: Callable[["Backend"], Awaitable[None]],
    ) -> None:
        self.endpoint = endpoint
        self.registry = AdapterRegistry(_now, self._moved)
        health_check = self.health_check = HealthCheck(engine, on_restart=self._restarted, on_change=self._moved)
        self.admission = Admission(
            self.registry,
            outage=lambda: health_check.error,
            unsure=lambda: health_check.unsure,
            before_wave=lambda: before_wave(self),
            on_wave=on_change,
        )
        self.route = LoraxRoute(
            endpoint.name,
            engine,
            registry=self.registry,
            admission=self.admission,
            metrics=metrics,
            held=held,
            losses=LossTracker(quarantine),
            on_answer=self._answered,
            on_failure=self.failed,
            tracer=tracer,
        )
        engine.on_hangup = health_check.suspect  # set from outside: an engine is made before who watches over it
        self.prober = Prober(
            engine,
            registry=self.registry,
            admission=self.admission,
            health_check=health_check,
            metrics=metrics,
            refresh_files=self.wait_for_report,
            on_failure=self.failed,
        )
        self._paths: set[str | None] = set()
        self.news: OutcomeDelta | None = OutcomeDelta()
        """Outcomes that the leader has not been told; None if this coordinator leads."""
        self._engine, self._sidecar = engine, sidecar
        self._on_change, self._on_report = on_change, on_report
        self._jobs = Jobs()
        self._poll_now = asyncio.Event()
        self._polling = asyncio.Lock()

    def candidate(self, paths: Sequence[str | None]) -> Candidate:
        """The server as the load balancer sees it for a batch of these adapters (None: the base model)."""
        return Candidate(
            key=self.endpoint.key,
            running=self.health_check.running,
            leaving=self.endpoint.leaving,
            ready=sum(map(self.admission.is_ready, paths)),
            open=self.admission.is_open,
            load=len(self.route.tasks),
        )

    @property
    def report(self) -> SidecarReport | None:
        """The sidecar's last report, to this coordinator or to the leader."""
        return self._sidecar.report if self._sidecar is not None else None

    def set_report(self, report: SidecarReport | None) -> None:
        """Take in the sidecar's report as the leader has it."""
        if self._sidecar is not None:
            self._sidecar.set_remote(report)

    def set_endpoint(self, endpoint: Endpoint) -> None:
        """Take in the Service's current endpoint of the same server."""
        self.endpoint = endpoint

    def keep(self, paths: set[str | None], findings: Mapping[str, AdapterFiles]) -> None:
        """Keep these adapters and forget the others; `findings` are their files on this server."""
        self.registry.keep(paths)
        self.registry.update_files(findings)
        if paths != self._paths:
            self._paths = paths
            self._poll_now.set()
        self.wake()

    def start(self) -> None:
        """Watch over the server from now on, and verify every adapter again: it may have been evicted since."""
        self.news = None
        self.prober.begin()
        self.health_check.take_over()
        self.registry.begin_incarnation()
        prober = self.prober
        self._jobs.start("health check", self.health_check.run)
        self._jobs.start("prober", lambda: prober.run(_now))
        if self._sidecar is not None:
            self._jobs.start("sidecar", self._poll)

    async def stop(self) -> None:
        """Stop watching over the server: another coordinator watches over it."""
        self.news = OutcomeDelta()
        await self._jobs.stop()

    def take_outcomes(self) -> OutcomeDelta | None:
        """Take the outcomes to tell them to the leader; None if this coordinator leads."""
        outcomes = self.news
        if outcomes is not None:
            self.news = OutcomeDelta()
        return outcomes

    def put_back(self, outcomes: OutcomeDelta) -> None:
        """Keep outcomes that could not be told for the next time, unless their incarnation has ended."""
        if self.news is None or outcomes.incarnation != self.registry.incarnation:
            return
        self.gathered.add(outcomes)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait at most `seconds` for requests under way to end, and close every connection."""
        await self.stop()
        self.health_check.mark_gone()
        under_way = {*self.prober.under_way, *self.route.tasks}
        if under_way:
            await asyncio.wait(under_way, timeout=seconds)
        await self._engine.close()
        if self._sidecar is not None:
            await self._sidecar.close()

    def wake(self) -> None:
        """Have waiting requests and the prober look again."""
        self.admission.wake()
        self.prober.wake()

    async def refresh(self) -> None:
        """Poll the sidecar, and take its report in; polls follow one another. Most are answered 304."""
        if self._sidecar is not None:
            async with self._polling:
                polled_at = _now()
                if await self._reported():
                    self.registry.confirm(polled_at)

    async def _reported(self) -> bool:
        """Poll the sidecar and take its report in; whether the sidecar has answered."""
        if self._sidecar is None or not await self._sidecar.poll():
            return False
        self._on_report()
        self._on_change()
        return True

    async def wait_for_report(self) -> None:
        """Poll the sidecar until it has ever reported: it may start later than LoRAX."""
        await self.refresh()
        while self._sidecar is not None and self._sidecar.report is None:
            await asyncio.sleep(_AGAIN_SECONDS)
            await self.refresh()

    @property
    def gathered(self) -> OutcomeDelta:
        """The outcomes of the current incarnation; those of an earlier one are dropped."""
        if self.news is None or self.news.incarnation != self.registry.incarnation:
            self.news = OutcomeDelta(self.registry.incarnation)
        return self.news

    @property
    def needs_refresh(self) -> bool:
        """Whether this coordinator polls the sidecar, and no report names every adapter yet."""
        sidecar = self._sidecar
        return sidecar is not None and self.news is None and not sidecar.error and self.registry.lacks_files()

    async def refresh_unknown(self) -> None:
        """Poll the sidecar if no report names every adapter yet."""
        async with self._polling:
            if self.needs_refresh:
                await self._reported()

    def failed(self, path: str | None, error: EngineError, target: RequestTarget) -> None:
        """Take in that a request failed. A failure of an earlier incarnation changes nothing: its end has been seen."""
        if target.incarnation != self.registry.incarnation:
            return
        if self.news is not None:
            self.gathered.failures[path, error.code] = error
        self.registry.record_failure(path, error, target)
        if isinstance(error, Unreachable) and self.news is None:
            self.health_check.lost()
        elif isinstance(error, (Unreachable, ConnectionLost)):
            self.health_check.suspect()

    def _answered(self, warm: bool, target: RequestTarget) -> None:
        if target.incarnation != self.registry.incarnation:
            return
        if self.news is None:
            self.health_check.note_answer(warm=warm)
        else:
            self.gathered.count(warm=warm)

    def _moved(self) -> None:
        self.wake()
        self._on_change()

    def _restarted(self, seen: bool) -> None:
        """Take in that LoRAX has started anew, and has lost its adapters."""
        self.registry.restarted(seen=seen)

    async def _poll(self) -> None:
        """Poll the sidecar every few seconds, and at once when the roster has changed, for ever."""
        while True:
            self._poll_now.clear()
            await self.refresh()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._poll_now.wait(), POLL_SECONDS)


def _now() -> float:
    """Seconds on the event loop's clock."""
    return asyncio.get_running_loop().time()
