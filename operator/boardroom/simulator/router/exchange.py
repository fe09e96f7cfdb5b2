"""HTTP exchanges (request and response) directly on ASGI: load tests need a simulator with low overhead."""

import asyncio
from collections.abc import Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from boardroom.simulator.errors import Rejection

MAX_BODY_BYTES: Final = 2 * 1024 * 1024

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"
EVENTS: Final = b"text/event-stream"

Headers = Iterable[tuple[bytes, bytes]]

_CORS: Final = (
    (b"vary", b"origin, access-control-request-method, access-control-request-headers"),
    (b"access-control-allow-origin", b"*"),
)


class ClientGone(Exception):  # noqa: N818 (not an error)
    """The client closed the connection before it had its answer."""


class Dropped(Exception):  # noqa: N818 (a fault that was asked for)
    """A fault closes the connection in the middle of the answer."""


class Exchange:
    """Reads the request, writes the response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send

    def header(self, name: bytes) -> str | None:
        """Return a request header by its lower-case name; None if it is missing."""
        return next((value.decode("latin-1") for key, value in self._scope["headers"] if key == name), None)

    def query(self) -> str:
        """Return the query string."""
        return str(self._scope["query_string"].decode("latin-1"))

    async def body(self) -> bytes:
        """Return the whole body; raises Rejection above 2 MiB, and ClientGone if the client disconnects."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise Rejection(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Failed to buffer the request body: length limit exceeded"
                )
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    async def wait_gone(self) -> None:
        """Wait until the client has disconnected."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def respond(
        self, status: int, body: bytes = b"", content_type: bytes | None = None, headers: Headers = ()
    ) -> None:
        """Send the whole response."""
        length = (b"content-length", str(len(body)).encode())
        await self._start(status, content_type, (*headers, length))
        await self._send({"type": "http.response.body", "body": body})

    async def tear(self) -> None:
        """Begin a response and do not finish it: the server closes the connection."""
        await self._start(HTTPStatus.OK, JSON, ((b"content-length", b"1000"),))
        await self._send({"type": "http.response.body", "body": b'{"generated_text":"', "more_body": True})

    async def start_events(self, headers: Headers) -> None:
        """Begin a stream of server-sent events."""
        await self._start(HTTPStatus.OK, EVENTS, (*headers, (b"cache-control", b"no-cache")))

    async def send_events(self, events: bytes) -> None:
        """Send events, each ended by an empty line."""
        await self._send({"type": "http.response.body", "body": events, "more_body": True})

    async def end_events(self) -> None:
        """End the stream."""
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self, status: int, content_type: bytes | None, headers: Headers) -> None:
        kind = ((b"content-type", content_type),) if content_type else ()
        start: MutableMapping[str, Any] = {
            "type": "http.response.start",
            "status": int(status),
            "headers": [*kind, *headers, *_CORS],
        }
        await self._send(start)


class Waiter:
    """Waits for the engine or for the client's disconnect, whichever comes first.

    The engine calls `notify`; `wait` returns after that, and raises ClientGone if the client has disconnected.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._loop = asyncio.get_running_loop()
        self._gone = self._loop.create_task(exchange.wait_gone())
        self._change: asyncio.Future[None] = self._loop.create_future()

    @property
    def notify(self) -> Callable[[], None]:
        """The callback for Entry.on_change."""
        return self._notify

    def _notify(self) -> None:
        if not self._change.done():
            self._change.set_result(None)

    async def wait(self, timeout: float | None = None) -> bool:
        """Return True after a change, False after so many seconds without one."""
        if not self._change.done():
            await asyncio.wait((self._change, self._gone), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if self._gone.done():
            raise ClientGone
        changed = self._change.done()
        if changed:
            self._change = self._loop.create_future()
        return changed

    def close(self) -> None:
        """Stop listening for the client."""
        self._gone.cancel()
        self._change.cancel()
