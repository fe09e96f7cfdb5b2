"""Server-sent events to one client: events that came together are sent together, and heartbeats fill silence."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HEARTBEAT_SECONDS: Final = 10.0
"""Time between heartbeats. Proxies close silent connections, often after 30 or 60 s."""

MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
"""Limit of unsent bytes. A client that reads too slowly is disconnected."""

_HEARTBEAT: Final = b":\n\n"
HEADERS: Final = {"content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no"}


class EventBuffer:
    """Unsent events. Used from one event loop."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0
        self._closed = False
        self._changed = asyncio.Event()
        self.begun = asyncio.Event()
        """Set by the first event, by the end, or when the stream begins without an event."""
        self.is_overflowed = False
        """Whether the client was too slow; later events are dropped."""
        self.on_overflow: Callable[[], None] = lambda: None

    def put(self, event: bytes) -> None:
        """Add one whole event."""
        if self.is_overflowed:
            return
        self._size += len(event)
        if self._size > MAX_WAITING_BYTES:
            self.is_overflowed = True
            self.on_overflow()
        else:
            self._waiting.append(event)
        self._changed.set()
        self.begun.set()

    def close(self) -> None:
        """Add no more events."""
        self._closed = True
        self._changed.set()
        self.begun.set()

    async def begin(self) -> None:
        """Wait for the first event or the end, at most until a heartbeat is due."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self.begun.wait()
        self.begun.set()

    async def take(self) -> bytes:
        """Wait for unsent events and take all; b"" at the end."""
        while not self._waiting and not self._closed and not self.is_overflowed:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                return _HEARTBEAT
        self._changed.clear()
        events, self._waiting, self._size = b"".join(self._waiting), [], 0
        return events


class EventResponse(Response):
    """Sends a buffer until it is closed or the client disconnects, and calls `after` in every case."""

    def __init__(self, buffer: EventBuffer, after: Callable[[bool], Awaitable[None]], headers: dict[str, str]) -> None:
        """`after` gets whether the client got everything."""
        super().__init__(None, headers=headers | HEADERS)
        del self.headers["content-length"]
        self._buffer = buffer
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Send the response (ASGI)."""
        disconnect = asyncio.create_task(_wait_for_disconnect(receive, self._buffer))
        whole = False
        try:
            async with asyncio.timeout(None) as sending:  # a client that does not read keeps `send` waiting for ever
                self._buffer.on_overflow = lambda: sending.reschedule(0.0)
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                while (chunk := await self._buffer.take()) and not disconnect.done():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                whole = not disconnect.done() and not self._buffer.is_overflowed
                if whole:
                    end: MutableMapping[str, Any] = {"type": "http.response.body", "body": b""}
                    await send(end)
        except TimeoutError:
            whole = False
        finally:
            self._buffer.on_overflow = lambda: None
            disconnect.cancel()
            await self._after(whole)


async def _wait_for_disconnect(receive: Receive, buffer: EventBuffer) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
    buffer.close()
