"""The coordinator of one board: its parts, what follows when something changes, and what runs in the background."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import nan
from typing import Final

from boardroom.adapters.protocol import DesiredSources
from boardroom.api.ask import AskRequest
from boardroom.coordinator.backends.adapter_summary import AdapterSummary
from boardroom.coordinator.backends.adapter_versions import AdapterVersions, wanted
from boardroom.coordinator.backends.backend import Backend
from boardroom.coordinator.backends.endpoints import Endpoints
from boardroom.coordinator.backends.health_check import metrics
from boardroom.coordinator.backends.pool import BackendPool, Sidecars
from boardroom.coordinator.backends.sidecar import SidecarClient
from boardroom.coordinator.backends.standard_route import StandardRoute
from boardroom.coordinator.board.roster import Roster
from boardroom.coordinator.board.sources import Source
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.conversations.conversations import Conversations
from boardroom.coordinator.conversations.memory import MemoryStore
from boardroom.coordinator.conversations.store import Store
from boardroom.coordinator.deliberation.ask import deliberate
from boardroom.coordinator.deliberation.context import NO_CONTEXT, AskContext, PromptContext
from boardroom.coordinator.deliberation.dispatch import Dispatcher
from boardroom.coordinator.errors import NotReady, TooManyQuestions
from boardroom.coordinator.jobs import Jobs
from boardroom.coordinator.listener import Listener
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.peers.membership import Peers
from boardroom.coordinator.response import AskResponse
from boardroom.coordinator.status.conditions import LoraxHealth, Observation
from boardroom.coordinator.status.writer import StatusWriter
from boardroom.engine.lorax.driver import LoraxEngine
from boardroom.engine.protocol import Engine, Inference
from boardroom.kube.protocol import Kube
from boardroom.telemetry.tracing import OFF, Tracer

MAX_IN_FLIGHT: Final = 256
"""Questions at once; the next one gets 429."""

SETTLE_SECONDS: Final = 10.0
"""The seconds that the first status waits for ready adapters, so that no condition flickers at a restart."""

DRAIN_SECONDS: Final = 5.0
"""The seconds that loads may go on when the coordinator stops."""


class Coordinator:
    """A coordinator without its HTTP part. Without `endpoints` the board runs without LoRAX. Without `kube` the
    coordinator writes no status. Without `peers` no other coordinator serves the board.

    Sources, endpoints and pool notify `changes`; a background job then acts on all changes that came together. An
    update that a question needs at once is a callback in the constructor of the part that calls it.
    """

    def __init__(
        self,
        source: Source,
        changes: Changes,
        *,
        endpoints: Endpoints | None = None,
        engine: Callable[[str], Engine] = LoraxEngine,
        sidecar: Sidecars = SidecarClient,
        standard: Inference | None = None,
        kube: Kube | None = None,
        store: Store | None = None,
        peers: Callable[[BackendPool | None, Callable[[], None]], Peers] | None = None,
        max_in_flight: int = MAX_IN_FLIGHT,
        tracer: Tracer = OFF,
    ) -> None:
        self.metrics = Metrics()
        self.metrics.most_in_flight.set(max_in_flight)
        self.tracer = tracer
        self.conversations = Conversations(self._memory() if store is None else store)
        self._source, self._changes = source, changes
        self._kube, self._standard = kube, standard
        self._standard_route = StandardRoute(standard, self.metrics, tracer) if standard is not None else None
        self.pool = self._make_pool(endpoints, engine, sidecar) if endpoints is not None else None
        self._writer: StatusWriter | None = None
        self.drain_seconds = DRAIN_SECONDS
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._versions = AdapterVersions()
        self._resolved: Roster | None = None
        self._taken_in = 0
        """The generation of changes that the background job has worked on."""
        self._passes = Changes()
        self._rosters: dict[object, Roster] = {}
        """The roster of each question in flight, which keeps the versions that it began with."""
        self._started = time.monotonic()
        self._jobs = Jobs()
        if kube is not None:
            self._writer = StatusWriter(
                kube,
                self.metrics,
                roster=lambda: self.roster,
                adapters=lambda: self.adapters,
                observed=self._observation_to_write,
            )
        self.peers = peers(self.pool, self._on_started_leading) if peers is not None else None
        self._take_in()

    @property
    def roster(self) -> Roster | None:
        """The board as it is now, each member with the version that serves it; None until the board is known."""
        return self._resolved

    @property
    def problem(self) -> str:
        """Why the board can't be asked yet; empty if it can."""
        if self.roster is None:
            return self._source.problem
        if self.pool is not None and not self.pool.known:
            return "where LoRAX's servers are has not been read from the API server yet"
        return ""

    @property
    def adapters(self) -> AdapterSummary:
        """The adapters on all servers; none without LoRAX."""
        return self.pool.adapters if self.pool is not None else AdapterSummary([])

    def observation(self) -> Observation:
        """LoRAX as of the last health check."""
        standard = self._standard_route is not None
        pool = self.pool
        if pool is None or (self.roster is not None and not self.roster.lorax_enabled):
            return Observation(lorax=LoraxHealth.ABSENT, standard=standard)
        if self.peers is not None and self.peers.follower is not None and not self.peers.is_leader:
            figures = self.peers.follower.metrics
        else:
            figures = metrics(backend.health_check for backend in pool.backends.values())
        lorax = LoraxHealth.of(pool.running)
        return Observation(lorax=lorax, reason=pool.reason, metrics=figures, standard=standard)

    async def ask(
        self,
        request: AskRequest,
        request_id: str,
        began: float,
        context: PromptContext = NO_CONTEXT,
        listener: Listener | None = None,
    ) -> AskResponse:
        """The board's answer. `began` is a time of the event loop's clock. Raises ApiError."""
        roster = self.roster
        if roster is None or self.problem:
            raise NotReady(self.problem)
        if self._in_flight >= self._max_in_flight:
            raise TooManyQuestions(f"{self._in_flight} questions are being asked; ask again in a moment")
        self._in_flight += 1
        self.metrics.in_flight.set(self._in_flight)
        key = object()
        self._rosters[key] = roster
        try:
            lorax = self.pool if roster.lorax_enabled else None
            if lorax is not None:
                await lorax.refresh_unknown(request.timeout or roster.timeout_seconds)
            dispatcher = Dispatcher(self.metrics, lorax=lorax, standard=self._standard_route, tracer=self.tracer)
            ask = AskContext(
                request=request,
                request_id=request_id,
                began=began,
                timeout=request.timeout or float(roster.timeout_seconds),
                prompt=context,
                listener=listener,
            )
            if request.conv_id is None:
                return await deliberate(ask, roster, dispatcher)
            return await self.conversations.with_history(
                ask, roster, lambda resumed: deliberate(resumed, roster, dispatcher)
            )
        finally:
            del self._rosters[key]
            self._in_flight -= 1
            self.metrics.in_flight.set(self._in_flight)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the background jobs. At the end loads may go on for `drain_seconds`, and every connection is closed."""
        self._jobs.start("changes", self._take_in_changes)
        self._jobs.start("roster", self._source.run)
        if self.pool is not None:
            self.pool.start()
        if self.peers is not None:
            self.peers.start()
        elif self.pool is not None:
            self.pool.lead()
        if self._writer is not None:
            self._jobs.start("status writer", self._writer.run)
        try:
            yield
        finally:
            await self._jobs.stop()
            if self.pool is not None:
                await self.pool.close(self.drain_seconds)
            if self.peers is not None:
                await self.peers.stop()
            for part in (self._standard, self.conversations):
                if part is not None:
                    await part.close()
            await asyncio.to_thread(self.tracer.close)

    async def settled(self) -> None:
        """Returns when the coordinator has taken in every change until now. Tests use this method."""
        changed = self._changes.generation
        while self._taken_in < changed:
            await self._passes.after(self._passes.generation)

    def _on_started_leading(self) -> None:
        """Write the status from now on, after this coordinator has verified the adapters itself."""
        self._started = time.monotonic()
        if self._writer is not None:
            self._writer.forget()

    async def _take_in_changes(self) -> None:
        """Act on the changes that came together, for ever. An action may cause further changes."""
        while True:
            generation = self._changes.generation
            self._take_in()
            self._taken_in = generation
            self._passes.notify()
            await asyncio.sleep(0)  # others may work between two passes
            await self._changes.after(generation)

    def _take_in(self) -> None:
        """Update the derived state: backends, the resolved roster, metrics and the status."""
        if self.pool is not None:
            self.pool.sync()
        self._resolve()
        roster = self._resolved
        if roster is not None:
            self.metrics.set_members(member.name for member in roster.members)
            self.metrics.lorax_latency_limit.set(roster.latency_warning_ms / 1000)
            self.metrics.lorax_wanted.set(roster.lorax_enabled and not roster.suspended)
        self._count()
        if self._writer is not None:
            self._writer.wake()

    def _resolve(self) -> None:
        """Decide which version serves each member, by the board, the sidecars' reports and the adapters' states.

        The pool calls this as soon as a report is in: the registry must have the report's files before the report may
        confirm that LoRAX has loaded them.
        """
        source, servers = self._source.roster, self.pool.servers if self.pool is not None else []
        self._resolved = self._versions.resolve(source, servers) if source else None
        if self._resolved is not None and self.pool is not None:
            in_use = {member.adapter_id for roster in self._rosters.values() for member in roster.members}
            self.pool.keep(self._resolved, in_use)

    def _wanted(self) -> DesiredSources | None:
        """The sources that the sidecars must fetch; None until the board is known."""
        return wanted(self._resolved) if self._resolved is not None else None

    async def _before_wave(self, backend: Backend) -> None:
        """Wait until no other coordinator sends to that server."""
        if self.peers is not None:
            await self.peers.hold(backend)

    def _make_pool(self, endpoints: Endpoints, engine: Callable[[str], Engine], sidecar: Sidecars) -> BackendPool:
        return BackendPool(
            endpoints,
            engine,
            sidecar,
            changes=self._changes,
            metrics=self.metrics,
            tracer=self.tracer,
            resolve=self._resolve,
            before_wave=self._before_wave,
            wanted=self._wanted,
        )

    def _memory(self) -> MemoryStore:
        store = MemoryStore()
        self.metrics.conversations.set_function(lambda: len(store))
        return store

    def _count(self) -> None:
        """Set the gauges of members' adapters, and of LoRAX's latency as the status has it."""
        adapters = self.adapters
        for member in self.roster.members if self.roster else ():
            state = adapters[member.adapter_id].best if member.adapter_id else None
            self.metrics.adapter_failed(member.name, failed=state is not None and state.is_blocked)
        figures = self.observation().metrics
        average = figures.average_latency_ms if figures else None
        self.metrics.lorax_latency.set(nan if average is None else average / 1000)

    def _observation_to_write(self) -> Observation | None:
        """The observation for the status. None before the first health check and the first proofs, while a change has
        not been taken in, and if another coordinator may write.
        """
        if self._taken_in != self._changes.generation:
            return None  # else old versions might be written together with new states; the job wakes the writer
        if self.peers is not None and not self.peers.is_confirmed_leader:
            return None
        observation = self.observation()
        if observation.lorax is LoraxHealth.ABSENT or self.pool is None:
            return observation
        if observation.lorax is LoraxHealth.UNCHECKED:
            return None
        settling = self.pool.settling and time.monotonic() < self._started + SETTLE_SECONDS
        return None if settling else observation
