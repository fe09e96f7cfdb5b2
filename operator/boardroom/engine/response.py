"""An HTTP response while it comes: its connection fills it, one task reads it."""

import asyncio
from enum import IntEnum
from typing import Final

from boardroom.engine.errors import BadResponse, EngineError

MAX_UNREAD_BYTES: Final = 128 * 1024
"""A stream is read no further from its socket while its reader leaves more than this lying."""


class Stage(IntEnum):
    """How far a response has come."""

    NONE = 0
    HEAD = 1
    BODY = 2
    """Body that nobody has read yet."""
    END = 3
    """The whole of it, or a failure."""


class Response:
    """Status, headers (names in lower case) and a body of at most `limit` bytes; `streamed` if it is read as it comes.

    The methods that wait take the moment, on the loop's clock, at which they raise TimeoutError.
    """

    __slots__ = (
        "_chunks", "_limit", "_waiter", "_wanted", "complete", "failure", "headers", "high_water", "size", "status",
        "unread",
    )  # fmt: skip

    def __init__(self, limit: int, *, streamed: bool = False) -> None:
        self.high_water = MAX_UNREAD_BYTES if streamed else limit
        self.status = 0
        self.headers: dict[str, str] = {}
        self.size = 0
        self.unread = 0
        self.complete = False
        self.failure: EngineError | None = None
        self._chunks: list[bytes] = []
        self._limit = limit
        self._waiter: asyncio.Future[None] | None = None
        self._wanted = Stage.END

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""
        return self.complete or self.failure is not None

    def begin(self, status: int, headers: dict[str, str]) -> None:
        """The head has come."""
        self.status, self.headers = status, headers
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit:
            self.fail(BadResponse(f"the response is {length} bytes long; at most {self._limit} are read"))

    def add(self, data: bytes) -> None:
        """A piece of the body has come."""
        self.size += len(data)
        self.unread += len(data)
        if self.size > self._limit:
            self.fail(BadResponse(f"the response is longer than the {self._limit} bytes that are read"))
        else:
            self._chunks.append(data)

    def fail(self, error: EngineError) -> None:
        """Nothing more will come; the first failure is the one that is told."""
        if not self.ended:
            self.failure = error

    def wake(self) -> None:
        """Let the reader go on if what it waits for is there. Once for all that came together: waking costs a turn."""
        waiter = self._waiter
        if waiter is not None and not waiter.done() and self._reached() >= self._wanted:
            waiter.set_result(None)

    async def head(self, end: float) -> None:
        """Wait for status and headers."""
        await self._wait_for(Stage.HEAD, end)
        if self.failure is not None and not self.status:
            raise self.failure

    async def read(self, end: float) -> bytes:
        """What has come since the last read, at least one byte; b"" at the end. A failure follows what came before."""
        await self._wait_for(Stage.BODY, end)
        if not self._chunks and self.failure is not None:
            raise self.failure
        return self._take()

    async def body(self, end: float) -> bytes:
        """The whole body."""
        await self._wait_for(Stage.END, end)
        if self.failure is not None:
            raise self.failure
        return self._take()

    def _take(self) -> bytes:
        chunks, self._chunks, self.unread = self._chunks, [], 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _reached(self) -> Stage:
        if self.ended:
            return Stage.END
        if self._chunks:
            return Stage.BODY
        return Stage.HEAD if self.status else Stage.NONE

    async def _wait_for(self, stage: Stage, end: float) -> None:
        if self._reached() >= stage:
            return
        loop = asyncio.get_running_loop()
        self._wanted, self._waiter = stage, loop.create_future()
        timer = loop.call_at(end, _expire, self._waiter)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
