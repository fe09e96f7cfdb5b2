"""An HTTP response while it arrives: its connection fills it, and one task reads it."""

import asyncio
from enum import IntEnum
from typing import Final

from boardroom.engine.errors import BadResponse, EngineError

MAX_UNREAD_BYTES: Final = 128 * 1024
"""The socket of a stream is not read while more than this waits for the reader."""


class Stage(IntEnum):
    """How much of a response has arrived."""

    NONE = 0
    HEAD = 1
    BODY = 2
    """Chunks of the body that have not been read yet."""
    END = 3
    """All of it, or a failure."""


class Response:
    """Status, headers (names in lower case) and a body of at most `limit` bytes; `streamed` if read as it arrives.

    Methods that wait take a deadline `end` on the loop's clock, at which they raise TimeoutError.
    """

    __slots__ = (
        "_chunks", "_limit", "_waiter", "_wanted", "complete", "failure", "headers", "high_water", "size",
        "status", "unread",
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
        """Whether nothing more can arrive."""
        return self.complete or self.failure is not None

    def begin(self, status: int, headers: dict[str, str]) -> None:
        """Take the status and the headers."""
        self.status, self.headers = status, headers
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit:
            self.fail(BadResponse(f"the answer is {length} bytes long; at most {self._limit} are read"))

    def add(self, data: bytes) -> None:
        """Take a chunk of the body."""
        self.size += len(data)
        self.unread += len(data)
        if self.size > self._limit:
            self.fail(BadResponse(f"the answer is longer than the {self._limit} bytes that are read"))
        else:
            self._chunks.append(data)

    def fail(self, error: EngineError) -> None:
        """End with this error, unless the response has ended."""
        if not self.ended:
            self.failure = error

    def wake(self) -> None:
        """Wake the reader if what it waits for has arrived. Called once per read of the socket."""
        waiter = self._waiter
        if waiter is not None and not waiter.done() and self._reached() >= self._wanted:
            waiter.set_result(None)

    async def head(self, end: float) -> None:
        """Wait for status and headers."""
        await self._wait_for(Stage.HEAD, end)
        if self.failure is not None and not self.status:
            raise self.failure

    async def read(self, end: float) -> bytes:
        """Return what arrived since the last read, at least one byte; b"" at the end. Raises a failure after that."""
        await self._wait_for(Stage.BODY, end)
        if not self._chunks and self.failure is not None:
            raise self.failure
        return self._take()

    async def body(self, end: float) -> bytes:
        """Wait for the whole body."""
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
