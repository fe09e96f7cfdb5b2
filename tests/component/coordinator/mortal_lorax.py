"""An honest small LoRAX that dies and comes back, on virtual time, and the pools of a leader and a follower before it.

A process counts the requests that it takes, and knows which adapters it has answered a probe through. Whoever asks it
for another one as a question meets the worst that LoRAX does: the base model answers, without a sign of it. When it
ends its listener closes first, and with it the connections that nobody uses; then what is in flight ends, with answers
(SIGTERM) or without (SIGKILL); then the next process comes to the same address.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import msgspec

from boardroom.adapters.protocol import AdapterFiles
from boardroom.coordinator.backends.backend import Backend, OutcomeDelta
from boardroom.coordinator.backends.endpoints import Endpoint
from boardroom.coordinator.backends.outcome import Outcome
from boardroom.coordinator.backends.pool import BackendPool
from boardroom.coordinator.backends.sidecar import SidecarClient, SidecarReport
from boardroom.coordinator.board.roster import Member, Roster
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.peers.follower import Follower, LeaderLostError
from boardroom.coordinator.peers.leader import Leader
from boardroom.coordinator.peers.protocol import GrantResponse, encoder, poll_decoder, state_decoder
from boardroom.engine.errors import ConnectionLost, EngineTimeout, Starting
from boardroom.engine.metrics import EngineMetrics
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from component.coordinator.standing_fleet import ListedEndpoints

BASE: Final = "the base model"
AIR: Final = 0.001
IDLE_SECONDS: Final = 15.0
MEMBERS: Final = tuple(
    Member(name=name, role=name.upper(), adapter=name, adapter_id=f"/models/{name}") for name in ("ceo", "cfo", "cto")
)
ROSTER: Final = Roster(board="executive", root="/models", members=MEMBERS)
VOLUME: Final = {m.adapter or "": AdapterFiles(digest=f"sha256:{m.name}", size_bytes=10) for m in MEMBERS}


@dataclass(eq=False)
class Process:
    """One life. `proved` holds what it has answered a probe through."""

    counted: int = 0
    proved: set[str | None] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when everything that is in flight is lost."""
    in_flight: int = 0


class MortalLorax:
    """One process after another; `process` is the one that listens, None while there is none."""

    def __init__(self, *, hangs_up: bool = True) -> None:
        """`hangs_up`: whether its clients see that idle connections are closed, as they don't through a proxy."""
        self.process: Process | None = Process()
        self.clients: list[Client] = []
        self.seconds = 0.05
        """How long a token takes."""
        self.metrics_away = False
        self.health_hangs = False
        self.drop_next = False
        """Whether the connection of the next request breaks, and nothing else."""
        self.lives = 1
        self._hangs_up = hangs_up

    def client(self) -> "Client":
        self.clients.append(client := Client(self))
        return client

    def hang_up(self) -> None:
        """Every idle connection is closed."""
        loop = asyncio.get_running_loop()
        for client in self.clients:
            if self._hangs_up and loop.time() < client.used + IDLE_SECONDS:
                loop.call_later(AIR, client.on_hangup)

    async def end(self, *, gracefully: bool, down: float) -> None:
        """The process ends, and so long after its last answer there is another."""
        process, self.process = self.process, None
        if process is None:
            return
        self.hang_up()
        if not gracefully:
            process.over.set()
        while process.in_flight:  # noqa: ASYNC110 (virtual time)
            await asyncio.sleep(0.01)
        await asyncio.sleep(down)
        self.process, self.lives = Process(), self.lives + 1


class Client:
    """Implements `boardroom.engine.protocol.Engine`: one coordinator's connections to it."""

    url = "virtual://lorax"

    @staticmethod
    def schema(schema: Mapping[str, Any], /) -> Mapping[str, Any]:
        return schema

    def __init__(self, lorax: MortalLorax) -> None:
        self._lorax = lorax
        self.on_hangup: Callable[[], None] = lambda: None
        self.used = float("-inf")
        """When a connection was last put back."""

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        process = await self._connect()
        process.counted += 1
        process.in_flight += 1
        probe = request.request_id.startswith("probe-")
        own = probe or request.adapter_id in process.proved
        seconds = self._lorax.seconds * request.max_new_tokens
        dropped, self._lorax.drop_next = self._lorax.drop_next, False
        try:
            async with asyncio.timeout(timeout):
                await self._unless(process, asyncio.sleep(seconds / 2 if dropped else seconds))
        except TimeoutError as error:
            raise EngineTimeout("no answer in time") from error
        finally:
            process.in_flight -= 1
        if dropped:
            raise ConnectionLost("the connection broke")
        if probe:
            process.proved.add(request.adapter_id)
        await asyncio.sleep(AIR)
        self._put()
        return Generation(
            text=str(request.adapter_id) if own else BASE,
            finish_reason="stop",
            prompt_tokens=1,
            completion_tokens=request.max_new_tokens,
            queue_ms=0.0,
            inference_ms=1000 * seconds,
            total_ms=1000 * seconds,
        )

    def stream(self, request: GenerationRequest, timeouts: StreamTimeouts) -> AsyncGenerator[str | Generation, None]:
        raise NotImplementedError

    async def health(self, timeout: float) -> None:
        process = await self._connect()
        if self._lorax.health_hangs:
            await asyncio.sleep(timeout)
            raise EngineTimeout("no answer in time")
        await self._unless(process, asyncio.sleep(AIR))
        self._put()

    async def metrics(self, timeout: float) -> EngineMetrics:
        process = await self._connect()
        if self._lorax.metrics_away:
            raise EngineTimeout("no answer in time")
        await self._unless(process, asyncio.sleep(AIR))
        self._put()
        return EngineMetrics(requests=process.counted)

    async def metrics_page(self, timeout: float) -> bytes:
        raise NotImplementedError

    async def close(self) -> None:
        return

    def _put(self) -> None:
        self.used = asyncio.get_running_loop().time()

    async def _connect(self) -> Process:
        await asyncio.sleep(AIR)
        if self._lorax.process is None:
            raise Starting("it refuses connections")
        return self._lorax.process

    async def _unless(self, process: Process, working: Coroutine[Any, Any, None]) -> None:
        work, over = asyncio.ensure_future(working), asyncio.ensure_future(process.over.wait())
        try:
            await asyncio.wait({work, over}, return_when=asyncio.FIRST_COMPLETED)
            if process.over.is_set():
                raise ConnectionLost("the process has ended")
        finally:
            work.cancel()
            over.cancel()


class StillFindings(SidecarClient):
    """A sidecar whose volume never moves."""

    def __init__(self) -> None:
        super().__init__("")
        self.report = SidecarReport(volume=VOLUME)

    async def poll(self) -> bool:
        return True


class NearFollower(Follower):
    """To a leader in the same process, over the same JSON."""

    def __init__(self, leading: Leader, pool: BackendPool, clock: Callable[[], float]) -> None:
        super().__init__(pool, "follower", clock)
        self.leading = leading

    async def _ask(self, address: str, outcomes: dict[str, OutcomeDelta]) -> GrantResponse:
        request = self._request(outcomes)
        await asyncio.sleep(AIR)
        state = await self.leading.answer(poll_decoder.decode(encoder.encode(request)))
        await asyncio.sleep(AIR)
        return state_decoder.decode(msgspec.json.encode(state))


async def nobody_else(_backend: Backend) -> None:
    return


def pool(lorax: MortalLorax, changes: Changes, before_wave: Callable[[Backend], Awaitable[None]]) -> BackendPool:
    endpoint = Endpoint(key="lorax", name="lorax", url="virtual://lorax", adapters_url="virtual://adapters")
    made = BackendPool(
        ListedEndpoints(endpoint),
        lambda _: lorax.client(),
        lambda _url, _wanted: StillFindings(),
        changes=changes,
        metrics=Metrics(),
        before_wave=before_wave,
    )
    made.keep(ROSTER, set())
    return made


@dataclass
class Pair:
    """A leader and a follower of one LoRAX."""

    lorax: MortalLorax
    leader: BackendPool
    follower: BackendPool
    changes: Changes
    """The leader's."""

    async def ask(self, who: str, member: Member, tokens: int, seconds: float = 60.0) -> Outcome:
        """One question."""
        route = (self.leader if who == "leader" else self.follower).choose([member.adapter_id])
        assert route is not None
        request = GenerationRequest(
            request_id="q", system="", prompt="?", adapter_id=member.adapter_id, max_new_tokens=tokens
        )
        until = asyncio.get_running_loop().time() + seconds
        return await route.generate(member, request, until, asyncio.Lock(), stream=None, elsewhere=lambda: None)

    def open(self) -> bool:
        """Whether every member may be asked through both."""
        return self.is_open("leader") and self.is_open("follower")

    def is_open(self, who: str) -> bool:
        """Whether every member may be asked through one of them."""
        pool = self.leader if who == "leader" else self.follower
        gates = [backend.admission for backend in pool.backends.values()]
        return all(gate.is_open_for(member.adapter_id) for gate in gates for member in MEMBERS)


@asynccontextmanager
async def pair(lorax: MortalLorax) -> AsyncIterator[Pair]:
    clock = asyncio.get_running_loop().time
    changes = Changes()
    leader = pool(lorax, changes, lambda backend: leading.hold(backend))  # noqa: PLW0108 (the leader is of the pool)
    follower = pool(lorax, Changes(), nobody_else)
    leading = Leader(leader, changes, clock)
    following = NearFollower(leading, follower, clock)

    async def follow() -> None:
        while True:
            try:
                await following.follow("leader", "")
            except LeaderLostError:
                await asyncio.sleep(0.5)
            await asyncio.sleep(0.02)

    follower.grant(float("-inf"))
    with patch("boardroom.coordinator.backends.admission.time", SimpleNamespace(monotonic=clock)):
        leader.lead()
        polls = asyncio.create_task(follow())
        try:
            yield Pair(lorax, leader, follower, changes)
        finally:
            polls.cancel()
            for one in (leader, follower):
                await one.close(0)


def pool_of_one(changes: Changes, resolve: Callable[[], None] = lambda: None) -> BackendPool:
    """In front of one LoRAX, which nobody watches over."""
    endpoint = Endpoint(key="lorax", name="lorax", url="virtual://lorax", adapters_url="virtual://adapters")
    pool = BackendPool(
        ListedEndpoints(endpoint),
        lambda _: MortalLorax().client(),
        lambda _url, _wanted: StillFindings(),
        changes=changes,
        metrics=Metrics(),
        resolve=resolve,
    )
    pool.keep(ROSTER, set())
    return pool
