"""The coordinator of one board: its parts, how they hear of each other, and what runs in the background."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from boardroom.api.ask import AskRequest, AskResponse
from boardroom.coordinator import asking
from boardroom.coordinator.adapters import AdapterBook, AdapterState
from boardroom.coordinator.admission import Admission
from boardroom.coordinator.attempts import Attempts
from boardroom.coordinator.breaker import Breaker
from boardroom.coordinator.conversations.conversations import Conversations
from boardroom.coordinator.conversations.memory import MemoryStore
from boardroom.coordinator.findings import POLL_SECONDS, Findings
from boardroom.coordinator.health import NO_LORAX, Observation
from boardroom.coordinator.kube import Kube
from boardroom.coordinator.listening import Listener
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.observer import Observer
from boardroom.coordinator.particulars import NO_CONTEXT, Context
from boardroom.coordinator.prober import Prober
from boardroom.coordinator.problems import NotReady, TooManyQuestions
from boardroom.coordinator.roster import Roster
from boardroom.coordinator.routes import LoraxRoute, StandardRoute
from boardroom.coordinator.sources import Source
from boardroom.coordinator.writer import HealthWriter
from boardroom.engine.protocol import Engine, Inference

MAX_IN_FLIGHT: Final = 256
"""Questions at once; the next one gets 429."""

SETTLE_SECONDS: Final = 10.0
"""After the start, adapters are proved before the status is written: no flicker when a coordinator is replaced."""

VET_SECONDS: Final = 5.0
"""How long a question waits for the sidecar's word on adapters that it has not spoken of yet."""

DRAIN_SECONDS: Final = 5.0
_LAST_PAUSE: Final = 30.0
_LOG = logging.getLogger(__name__)


class Coordinator:
    """Everything but HTTP. Without an engine the board runs without LoRAX; without kube no status is written."""

    def __init__(
        self,
        source: Source,
        *,
        engine: Engine | None = None,
        standard: Inference | None = None,
        findings: Findings | None = None,
        kube: Kube | None = None,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        self.metrics = Metrics()
        self.book = AdapterBook(time.monotonic, self._book_changed)
        self.observer: Observer | None = None
        self.conversations = Conversations(MemoryStore())
        self._source, self._engine, self._findings, self._kube = source, engine, findings, kube
        self._standard = standard
        self._by_standard = StandardRoute(standard, self.metrics) if standard is not None else None
        self._by_lorax: LoraxRoute | None = None
        self._breaker = Breaker(self.metrics.breaker_open.set)
        self._admission: Admission | None = None
        self._prober: Prober | None = None
        self._writer: HealthWriter | None = None
        self.drain_seconds = DRAIN_SECONDS
        """How long loads may go on when the coordinator stops."""
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._poll_now = asyncio.Event()
        self._looking = asyncio.Lock()
        self._started = time.monotonic()
        if engine is not None:
            self._wire_engine(engine)
        if kube is not None:
            self._writer = HealthWriter(
                kube, self.book, self.metrics, roster=lambda: self.roster, observed=self._settled_observation
            )
        if findings is not None:
            findings.on_look = self._found
        source.on_change = self._roster_changed
        self._roster_changed()

    @property
    def roster(self) -> Roster | None:
        """The board as it is now; None until it is known."""
        return self._source.roster

    @property
    def problem(self) -> str:
        """Why there is no roster."""
        return self._source.problem

    def observation(self) -> Observation:
        """LoRAX as of the last look."""
        standard = self._by_standard is not None
        if self.observer is None or (self.roster is not None and not self.roster.lorax_enabled):
            return Observation(running=None, why_not=NO_LORAX, metrics=None, standard=standard)
        return Observation(
            running=self.observer.running,
            why_not=self.observer.why_not,
            metrics=self.observer.metrics(),
            standard=standard,
        )

    async def ask(
        self,
        request: AskRequest,
        request_id: str,
        began: float,
        context: Context = NO_CONTEXT,
        listener: Listener | None = None,
    ) -> AskResponse:
        """The board's answer; raises AskProblem. `began` is a time of the event loop's clock."""
        roster = self.roster
        if roster is None:
            raise NotReady(self.problem)
        if self._in_flight >= self._max_in_flight:
            raise TooManyQuestions(f"{self._in_flight} questions are being asked; ask again in a moment")
        self._in_flight += 1
        self.metrics.in_flight.set(self._in_flight)
        try:
            await self._vet(request.timeout or roster.timeout_seconds)
            lorax = self._by_lorax if roster.lorax_enabled else None
            attempts = Attempts(self.metrics, lorax=lorax, standard=self._by_standard)

            async def answer(known: Context) -> AskResponse:
                question = asking.Question(
                    request=request, request_id=request_id, began=began, context=known, listener=listener
                )
                return await asking.ask(question, roster, attempts)

            return await self.conversations.ask(request, roster, context, answer)
        finally:
            self._in_flight -= 1
            self.metrics.in_flight.set(self._in_flight)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything in the background; at the end loads may finish for a few seconds."""
        jobs: list[tuple[str, Callable[[], Awaitable[None]]]] = [("roster", self._source.run)]
        if self.observer is not None and self._prober is not None:
            prober = self._prober
            jobs += [("observer", self.observer.run), ("prober", lambda: prober.run(time.monotonic))]
        if self._findings is not None:
            jobs.append(("findings", self._poll))
        if self._writer is not None:
            jobs.append(("health writer", self._writer.run))
        tasks = [asyncio.create_task(_kept_alive(name, job), name=name) for name, job in jobs]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._prober is not None:
                await self._prober.drain(self.drain_seconds)
            for part in (self._engine, self._standard, self._findings, self._kube):
                if part is not None:
                    await part.close()

    def _wire_engine(self, engine: Engine) -> None:
        observer = self.observer = Observer(engine, on_restart=self._restarted, on_change=self._looked)
        admission = self._admission = Admission(self.book, trouble=lambda: observer.trouble, wave_please=self._wake)
        self._by_lorax = LoraxRoute(
            engine,
            book=self.book,
            admission=admission,
            breaker=self._breaker,
            metrics=self.metrics,
            on_trouble=observer.look_soon,
        )
        self._by_lorax.on_answer = observer.note_answer
        self._prober = Prober(
            engine,
            book=self.book,
            admission=admission,
            observer=observer,
            metrics=self.metrics,
            look=self._look,
        )

    def _restarted(self) -> None:
        """LoRAX has lost its adapters."""
        if self._admission is not None:
            self._admission.restarted()
        self.book.restarted()

    def _roster_changed(self) -> None:
        roster = self.roster
        if roster is None:
            return
        self.metrics.members.set(len(roster.members))
        self.book.keep(roster.adapters.values())
        self._poll_now.set()
        self._wake()

    def _found(self) -> None:
        found = self._findings.of(self.roster.adapters) if self._findings and self.roster else None
        if found is not None:
            self.book.found(found)

    def _book_changed(self) -> None:
        states = self.book.states()
        for state in AdapterState:
            self.metrics.adapters.labels(state).set(states.count(state))
        if self.observer is not None and self.observer.running and self.book.ready():
            self._breaker.reset()
        self._wake()

    def _looked(self) -> None:
        observer = self.observer
        if observer is None:
            return
        self.metrics.lorax_up.set(bool(observer.running))
        if not observer.running:
            self._breaker.trip(f"LoRAX is down: {observer.why_not}")
        elif self.book.ready() or not self.book.states():
            self._breaker.reset()
        self._wake()

    def _wake(self) -> None:
        if self._admission is not None:
            self._admission.wake()
        if self._prober is not None:
            self._prober.wake()
        if self._writer is not None:
            self._writer.wake()

    def _settled_observation(self) -> Observation | None:
        """What may be written; None while the first look and the first proofs are under way."""
        seen = self.observation()
        if self.observer is not None and self.observer.running is None and seen.why_not != NO_LORAX:
            return None
        settling = self._prober is not None and not self._prober.idle
        if seen.running and settling and time.monotonic() < self._started + SETTLE_SECONDS:
            return None
        return seen

    async def _poll(self) -> None:
        """Every few seconds, and at once when the roster changed."""
        while True:
            self._poll_now.clear()
            await self._look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._poll_now.wait(), POLL_SECONDS)

    async def _look(self) -> None:
        """Ask the sidecar, one after another: most answers are 304."""
        if self._findings is not None:
            async with self._looking:
                await self._findings.poll()

    async def _vet(self, seconds: float) -> None:
        """Before the first request to an adapter the sidecar is asked what lies there, unless it can't be."""
        findings = self._findings
        if findings is None or findings.trouble or not self.book.unseen():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, VET_SECONDS)), self._looking:
                if self.book.unseen():
                    await findings.poll()


async def _kept_alive(name: str, job: Callable[[], Awaitable[None]]) -> None:
    """A background job that breaks by a fault of ours is said so and started again: the board goes on answering."""
    pause = 1.0
    while True:
        try:
            await job()
        except Exception:  # noqa: BLE001 (whatever broke, the job must go on)
            _LOG.exception("a background job broke", extra={"job": name})
        await asyncio.sleep(pause)
        pause = min(_LAST_PAUSE, 2 * pause)
