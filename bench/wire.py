"""A network that takes its time, to a simulated LoRAX on virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from bench.reference import Reference
from boardroom.engine.protocol import StreamTimeouts
from boardroom.engine.transport import ChunkedReply, Reply
from boardroom.simulator.restarting import RestartingLorax

IDLE = 0.5
"""How often there is a connection that nobody uses."""


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


class Wire:
    """Implements `boardroom.engine.transport.Transport` to a LoRAX, as one client's network brings it there."""

    def __init__(
        self, lorax: RestartingLorax, delays: Delays, random: Random, reference: Reference | None = None
    ) -> None:
        """The reference, if there is one, gets each question too."""
        self._lorax = lorax
        self._delays = delays
        self._random = random
        self._reference = reference
        self.url = lorax.url
        self.on_hangup: Callable[[], None] = lambda: None
        """Called when LoRAX closes a connection that nobody uses, as it does when it ends; often there is none."""
        lorax.on_hangup = self._hung_up

    @property
    def on_hangup(self) -> Callable[[], None]:
        """Of the one LoRAX behind it."""
        return self._lorax.on_hangup

    @on_hangup.setter
    def on_hangup(self, hear: Callable[[], None]) -> None:
        self._lorax.on_hangup = hear

    async def request(
        self, method: str, path: str, *, timeout: float, limit: int, body: bytes | None = None, request_id: str = ""
    ) -> Reply:
        """Send and read the whole answer; raises only EngineError."""
        await self._under_way(path, body)
        return await self._lorax.request(method, path, timeout=timeout, limit=limit, body=body, request_id=request_id)

    @asynccontextmanager
    async def stream(
        self, path: str, *, timeouts: StreamTimeouts, limit: int, body: bytes, request_id: str = ""
    ) -> AsyncIterator[ChunkedReply]:
        """POST, and read chunk by chunk; leaving early disconnects."""
        await self._under_way(path, body)
        async with self._lorax.stream(path, timeouts=timeouts, limit=limit, body=body, request_id=request_id) as reply:
            yield reply

    async def close(self) -> None:
        """There is nothing to close."""

    def _hung_up(self) -> None:
        if self._random.random() < IDLE:
            self.on_hangup()

    async def _under_way(self, path: str, body: bytes | None) -> None:
        if self._reference is not None and body is not None:
            self._reference.hear(path, body)
        await asyncio.sleep(self._delays.draw(self._random))
