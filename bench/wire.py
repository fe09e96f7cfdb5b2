"""A simulated LoRAX on virtual time behind a network that takes its time, and that can be restarted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Self, TypeVar

from boardroom.engine.errors import ConnectionLost, Unreachable
from boardroom.engine.protocol import StreamTimeouts
from boardroom.engine.transport import ChunkedReply, Reply
from boardroom.simulator.engine import Engine
from boardroom.simulator.errors import RouterAborted
from boardroom.simulator.inprocess import InProcessTransport
from boardroom.simulator.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Seconds until a request arrives: an exponential one, and TCP's 0.2, 0.4, 0.8 s for each time it is lost."""

    mean: float = 0.001
    loss: float = 0.001
    retransmit: float = 0.2

    def draw(self, random: Random) -> float:
        """One request's."""
        seconds, wait = random.expovariate(1 / self.mean), self.retransmit
        while random.random() < self.loss:
            seconds, wait = seconds + wait, 2 * wait
        return seconds


class Lorax:
    """One LoRAX after another at the same address; use as an async context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._life = AsyncExitStack()
        self._over = asyncio.Event()
        self._restarting: set[asyncio.Task[None]] = set()
        self._ended_loads = 0
        self.engine: Engine | None = None
        self.transport: InProcessTransport | None = None
        self.aborts: list[str] = []
        """Why its router aborted, each time it did."""

    @property
    def loads(self) -> int:
        """Adapters brought onto the GPU, over all its lives."""
        return self._ended_loads + (self.engine.shard.loads if self.engine else 0)

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._restarting:
            task.cancel()
        await asyncio.gather(*self._restarting, return_exceptions=True)
        await self._end()

    async def restart(self, seconds: float) -> None:
        """End with all that is in flight, refuse connections for so long, and begin anew with nothing loaded."""
        if self.engine is None:
            return
        await self._end()
        await asyncio.sleep(seconds)
        await self._start()

    async def while_it_lives(self, doing: asyncio.Task[T]) -> T:
        """What `doing` returns; raises ConnectionLost when LoRAX ends before."""
        over = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait({doing, over}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise ConnectionLost("LoRAX closed the connection")
            return doing.result()
        finally:
            over.cancel()
            doing.cancel()

    async def _start(self) -> None:
        self._settings = replace(self._settings, random_seed=self._settings.random_seed + 1)
        self._over = asyncio.Event()
        self.engine = await self._life.enter_async_context(Engine(self._settings, on_abort=self._aborted))
        self.transport = InProcessTransport(self.engine)

    async def _end(self) -> None:
        if self.engine is not None:
            self._ended_loads += self.engine.shard.loads
        self.engine = self.transport = None
        self._over.set()
        with suppress(RouterAborted):
            await self._life.aclose()
        self._life = AsyncExitStack()

    def _aborted(self, reason: str) -> None:
        """Kubernetes starts it again."""
        self.aborts.append(reason)
        task = asyncio.create_task(self.restart(60.0))
        self._restarting.add(task)
        task.add_done_callback(self._restarting.discard)


class Wire:
    """Implements `boardroom.engine.transport.Transport` to a Lorax, as one client's network brings it there."""

    url = "virtual://lorax"

    def __init__(self, lorax: Lorax, delays: Delays, random: Random) -> None:
        self._lorax = lorax
        self._delays = delays
        self._random = random

    async def request(
        self, method: str, path: str, *, timeout: float, limit: int, body: bytes | None = None, request_id: str = ""
    ) -> Reply:
        """Send and read the whole answer; raises only EngineError."""
        transport = await self._arrive()
        call = transport.request(method, path, timeout=timeout, limit=limit, body=body, request_id=request_id)
        return await self._lorax.while_it_lives(asyncio.ensure_future(call))

    @asynccontextmanager
    async def stream(
        self, path: str, *, timeouts: StreamTimeouts, limit: int, body: bytes, request_id: str = ""
    ) -> AsyncIterator[ChunkedReply]:
        """POST, and read chunk by chunk; leaving early disconnects."""
        transport = await self._arrive()
        async with transport.stream(path, timeouts=timeouts, limit=limit, body=body, request_id=request_id) as reply:
            yield _Chunks(self._lorax, reply)

    async def close(self) -> None:
        """There is nothing to close."""

    async def _arrive(self) -> InProcessTransport:
        await asyncio.sleep(self._delays.draw(self._random))
        if self._lorax.transport is None:
            raise Unreachable("LoRAX refuses connections")
        return self._lorax.transport


class _Chunks:
    """ChunkedReply over a Wire."""

    def __init__(self, lorax: Lorax, reply: ChunkedReply) -> None:
        self._lorax = lorax
        self._reply = reply

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._reply.status

    @property
    def content_type(self) -> str:
        """The media type without parameters."""
        return self._reply.content_type

    async def read(self, within: float | None = None) -> bytes:
        """What comes next; b"" at the end."""
        return await self._lorax.while_it_lives(asyncio.ensure_future(self._reply.read(within)))

    async def read_all(self, limit: int) -> bytes:
        """The rest."""
        return await self._lorax.while_it_lives(asyncio.ensure_future(self._reply.read_all(limit)))
