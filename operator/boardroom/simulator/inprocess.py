"""A transport from an engine driver straight into a simulated LoRAX, without sockets.

For tests and benchmarks on virtual time: a question goes through the real driver and all of LoRAX's routes, in moments.
The simulated process ends as a real one does: `refuse` closes the listener, `drained` waits for the requests in flight.
Sockets are tested elsewhere.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.datastructures import Headers

from boardroom.engine.errors import BadResponse, ConnectionLost, EngineTimeout, Unreachable
from boardroom.engine.protocol import StreamTimeouts
from boardroom.engine.transport import ChunkedReply, Reply
from boardroom.simulator.router.app import Application
from boardroom.simulator.router.engine import Engine

_END = b""


class InProcessTransport:
    """Implements `boardroom.engine.transport.Transport`. The simulated engine must run on the same event loop."""

    def __init__(self, engine: Engine, url: str = "inprocess://lorax") -> None:
        self._application = Application(engine, inspect=False)
        self._listens = True
        self._in_flight: set[asyncio.Task[None]] = set()
        self.url = url
        self.on_hangup: Callable[[], None] = lambda: None
        """Never called: there are no idle connections."""

    def refuse(self) -> None:
        """Close the listener, as SIGTERM does first; requests in flight stay."""
        self._listens = False

    async def drained(self, seconds: float) -> None:
        """Wait until every request in flight has ended, at most so many seconds."""
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=seconds)

    def _call(self, method: str, path: str, body: bytes, request_id: str) -> "_Call":
        if not self._listens:
            raise Unreachable(f"{self.url} refuses connections")
        call = _Call(self._application, method, path, body, request_id)
        self._in_flight.add(call.task)
        call.task.add_done_callback(self._in_flight.discard)
        return call

    async def request(
        self, method: str, path: str, *, timeout: float, limit: int, body: bytes | None = None, request_id: str = ""
    ) -> Reply:
        """Send a request and return the whole response; raises only EngineError."""
        call = self._call(method, path, body or b"", request_id)
        try:
            async with asyncio.timeout(timeout):
                whole = b"".join([chunk async for chunk in call])
        except TimeoutError as error:
            raise EngineTimeout(f"{self.url} did not answer within {timeout:.1f} s") from error
        finally:
            call.leave()
        if len(whole) > limit:
            raise BadResponse(f"the answer is longer than the {limit} bytes that are read")
        return Reply(call.status, call.headers, whole)

    @asynccontextmanager
    async def stream(
        self, path: str, *, timeouts: StreamTimeouts, limit: int, body: bytes, request_id: str = ""
    ) -> AsyncIterator[ChunkedReply]:
        """POST, and read the response by chunks; leaving early disconnects."""
        call = self._call("POST", path, body, request_id)
        try:
            await call.started(min(timeouts.first_byte, timeouts.whole))
            yield _StreamedReply(call, limit, timeouts.between_bytes)
        finally:
            call.leave()

    async def close(self) -> None:
        """Nothing to close."""


class _Call:
    """A request to the ASGI application, and its response while it arrives."""

    def __init__(self, application: Application, method: str, path: str, body: bytes, request_id: str) -> None:
        self.status = 0
        self.headers = Headers()
        self._body = body
        self._sent = False
        self._complete = False
        self._client_left = asyncio.Event()
        self._started = asyncio.Event()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), (b"x-request-id", request_id.encode())],
        }
        self.task = asyncio.create_task(application(scope, self._receive, self._send))
        self.task.add_done_callback(self._on_task_done)

    def __aiter__(self) -> "_Call":
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._chunks.get()
        if chunk == _END:
            if not self._complete:
                raise ConnectionLost("LoRAX closed the connection in the middle of its answer")
            raise StopAsyncIteration
        return chunk

    async def started(self, seconds: float) -> None:
        """Wait for status and headers."""
        try:
            async with asyncio.timeout(seconds):
                await self._started.wait()
        except TimeoutError as error:
            raise EngineTimeout(f"LoRAX did not answer within {seconds:.1f} s") from error

    def leave(self) -> None:
        """Close the connection; the application sees a disconnect."""
        self._client_left.set()

    async def _receive(self) -> MutableMapping[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._client_left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = Headers(raw=list(message["headers"]))
            self._started.set()
            return
        if message.get("body"):
            self._chunks.put_nowait(message["body"])
        if not message.get("more_body", False):
            self._complete = True

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        with suppress(asyncio.CancelledError):
            task.exception()  # the router may have aborted; readers see the connection close
        self._started.set()
        self._chunks.put_nowait(_END)


class _StreamedReply:
    """The ChunkedReply of a call."""

    def __init__(self, call: _Call, limit: int, between_bytes: float) -> None:
        self._call = call
        self._remaining = limit
        self._between_bytes = between_bytes

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._call.status

    @property
    def content_type(self) -> str:
        """The media type without parameters."""
        return self._call.headers.get("content-type", "").partition(";")[0]

    async def read(self, within: float | None = None) -> bytes:
        """Return the next chunk; b"" at the end."""
        seconds = self._between_bytes if within is None else within
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(self._call, _END)
        except TimeoutError as error:
            raise EngineTimeout(f"LoRAX sent nothing for {seconds:g} s within its stream") from error
        self._remaining -= len(chunk)
        if self._remaining < 0:
            raise BadResponse("the stream is longer than what is read of one")
        return chunk

    async def read_all(self, limit: int) -> bytes:
        """Return the rest."""
        whole = b"".join([chunk async for chunk in self._call])
        if len(whole) > limit:
            raise BadResponse("the answer is longer than what is read of one")
        return whole
