"""A simulated LoRAX that restarts: one process after another at the same address, in this process and on its clock.

A process ends as in Kubernetes: killed, which loses the requests in flight; or by SIGTERM, which closes the listener
first, so that new requests are refused and those in flight are answered. The next process has no adapter loaded.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final, Self, TypeVar

from boardroom.engine.errors import ConnectionLost, Unreachable
from boardroom.engine.protocol import StreamTimeouts
from boardroom.engine.transport import ChunkedReply, Reply
from boardroom.simulator.errors import RouterAborted
from boardroom.simulator.inprocess import InProcessTransport
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.settings import Settings

DRAIN_SECONDS: Final = 90
"""LoRAX aborts requests that are still in flight after this."""
AFTER_ABORT_SECONDS: Final = 60.0

T = TypeVar("T")


class RestartingLorax:
    """Implements `boardroom.engine.transport.Transport`; use it as an async context manager."""

    def __init__(self, settings: Settings, url: str = "inprocess://lorax") -> None:
        self._settings = settings
        self._process = AsyncExitStack()
        self._process_ended = asyncio.Event()
        self._restarting: set[asyncio.Task[None]] = set()
        self._ended_loads = 0
        self._engine: Engine | None = None
        self._transport: InProcessTransport | None = None
        self.url = url
        self.on_hangup: Callable[[], None] = lambda: None
        """Called when a process closes its idle connections: with the listener, or when it is killed."""
        self.aborts: list[str] = []
        """The reason of each abort of a router."""

    @property
    def loads(self) -> int:
        """Adapters loaded onto the GPU, by all processes so far."""
        return self._ended_loads + (self._engine.shard.loads if self._engine else 0)

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._restarting:
            task.cancel()
        await asyncio.gather(*self._restarting, return_exceptions=True)
        await self._end()

    async def kill(self, seconds: float) -> None:
        """Kill the process, refuse connections for so many seconds, and start the next."""
        if self._engine is None:
            return
        await self._end()
        await asyncio.sleep(seconds)
        await self._start()

    async def terminate(self, seconds: float) -> None:
        """End the process by SIGTERM: requests in flight are answered first, for as long as LoRAX waits."""
        if self._transport is None:
            return
        ending = self._transport
        ending.refuse()
        self.on_hangup()
        await ending.drained(DRAIN_SECONDS)
        if self._transport is ending:  # the process may have aborted meanwhile
            await self.kill(seconds)

    async def request(
        self, method: str, path: str, *, timeout: float, limit: int, body: bytes | None = None, request_id: str = ""
    ) -> Reply:
        """Send a request and return the whole response; raises only EngineError."""
        call = self._listening().request(method, path, timeout=timeout, limit=limit, body=body, request_id=request_id)
        return await _unless_ended(self._process_ended, call)

    @asynccontextmanager
    async def stream(
        self, path: str, *, timeouts: StreamTimeouts, limit: int, body: bytes, request_id: str = ""
    ) -> AsyncIterator[ChunkedReply]:
        """POST, and read the response by chunks; leaving early disconnects."""
        transport = self._listening()
        async with transport.stream(path, timeouts=timeouts, limit=limit, body=body, request_id=request_id) as reply:
            yield _StreamedReply(reply, self._process_ended)

    async def close(self) -> None:
        """Nothing to close."""

    def _listening(self) -> InProcessTransport:
        if self._transport is None:
            raise Unreachable("LoRAX refuses connections")
        return self._transport

    async def _start(self) -> None:
        self._settings = replace(self._settings, random_seed=self._settings.random_seed + 1)
        self._process_ended = asyncio.Event()
        self._engine = await self._process.enter_async_context(Engine(self._settings, on_abort=self._on_abort))
        self._transport = InProcessTransport(self._engine, self.url)

    async def _end(self) -> None:
        if self._engine is not None:
            self._ended_loads += self._engine.shard.loads
        self._engine = self._transport = None
        self._process_ended.set()
        self.on_hangup()
        with suppress(RouterAborted):
            await self._process.aclose()
        self._process = AsyncExitStack()

    def _on_abort(self, reason: str) -> None:
        """Restart the process, as Kubernetes does."""
        self.aborts.append(reason)
        task = asyncio.create_task(self.kill(AFTER_ABORT_SECONDS))
        self._restarting.add(task)
        task.add_done_callback(self._restarting.discard)


async def _unless_ended(process_ended: asyncio.Event, call: Coroutine[Any, Any, T]) -> T:
    """Return the result of `call`. Raises ConnectionLost if the simulated process ends first."""
    task, ended = asyncio.ensure_future(call), asyncio.create_task(process_ended.wait())
    try:
        await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ConnectionLost("LoRAX closed the connection")
        return task.result()
    finally:
        ended.cancel()
        task.cancel()


class _StreamedReply:
    """ChunkedReply of one process: the next one knows nothing of it."""

    def __init__(self, reply: ChunkedReply, process_ended: asyncio.Event) -> None:
        self._reply = reply
        self._process_ended = process_ended

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._reply.status

    @property
    def content_type(self) -> str:
        """The media type without parameters."""
        return self._reply.content_type

    async def read(self, within: float | None = None) -> bytes:
        """Return the next chunk; b"" at the end."""
        return await _unless_ended(self._process_ended, self._reply.read(within))

    async def read_all(self, limit: int) -> bytes:
        """Return the rest."""
        return await _unless_ended(self._process_ended, self._reply.read_all(limit))
