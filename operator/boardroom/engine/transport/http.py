"""The one place where HTTP requests leave for an engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from boardroom import __version__
from boardroom.engine.errors import BadResponse, ConnectionLost, EngineTimeout
from boardroom.engine.protocol import StreamTimeouts
from boardroom.engine.transport.address import header_lines, parse_url
from boardroom.engine.transport.connection import Connection
from boardroom.engine.transport.pool import ConnectionPool
from boardroom.engine.transport.protocol import ChunkedReply, Reply
from boardroom.engine.transport.response import Response
from boardroom.telemetry import propagation

CONNECT_SECONDS: Final = 3.0
"""Connecting has its own limit, because packets to a pod that is gone are dropped and not refused."""

MAX_CONNECTIONS: Final = 2048

_NO_TYPE: Final = "application/octet-stream"


class HttpTransport:
    """Transport over one pool of connections.

    Redirects are not followed and cookies are not kept. Nothing is decompressed: the requests ask for no compression,
    and a small body could expand to a huge one.
    """

    def __init__(
        self,
        url: str,
        max_connections: int = MAX_CONNECTIONS,
        *,
        headers: Mapping[str, str] | None = None,
        server: str = "",
    ) -> None:
        """`headers` go with every request. `server` names the server in errors; "" is LoRAX."""
        self._url = url.rstrip("/")
        self._max_connections = max_connections
        self._headers = {"user-agent": f"boardroom/{__version__}", "accept": "*/*", "accept-encoding": "identity"}
        self._headers |= headers or {}
        self._server = server
        self.on_hangup: Callable[[], None] = lambda: None
        self._pool: ConnectionPool | None = None
        self._lines = ""

    @property
    def url(self) -> str:
        return self._url

    async def request(
        self, method: str, path: str, *, timeout: float, limit: int, body: bytes | None = None, request_id: str = ""
    ) -> Reply:
        end = asyncio.get_running_loop().time() + timeout
        pool = self._connection_pool()
        request = self._encode(pool, method, path, body, request_id)
        try:
            while True:
                connection = await pool.acquire(end, min(CONNECT_SECONDS, timeout))
                response = Response(limit)
                try:
                    connection.send(request, response)
                    whole = await response.body(end)
                    return Reply(response.status, response.headers, whole)
                except ConnectionLost:
                    if method != "GET" or not connection.reused:
                        raise  # the server may have acted on the request, so only GET is repeated
                    pool.close_idle()  # the other idle connections may be dead as well
                    self.on_hangup()
                finally:
                    pool.release(connection)
        except TimeoutError as error:
            raise self._timed_out(timeout) from error

    @asynccontextmanager
    async def stream(
        self, path: str, *, timeouts: StreamTimeouts, limit: int, body: bytes, request_id: str = ""
    ) -> AsyncIterator[ChunkedReply]:
        now = asyncio.get_running_loop().time()
        pool = self._connection_pool()
        request = self._encode(pool, "POST", path, body, request_id)
        seconds = min(timeouts.first_byte, timeouts.whole)
        response = Response(limit, streamed=True)
        try:
            connection = await pool.acquire(now + seconds, min(timeouts.connect, seconds))
        except TimeoutError as error:
            raise self._timed_out(seconds) from error
        try:
            connection.send(request, response)
            try:
                await response.head(now + seconds)
            except TimeoutError as error:
                raise self._timed_out(seconds) from error
            yield _StreamedReply(
                self._url, connection, response, between_bytes=timeouts.between_bytes, end=now + timeouts.whole
            )
        finally:
            pool.release(connection)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    def _connection_pool(self) -> ConnectionPool:
        if self._pool is None:
            try:
                address = parse_url(self._url)
            except ValueError as error:
                raise BadResponse(f"{self._url} does not speak HTTP as expected: {error}") from error
            self._lines = header_lines(self._headers)
            self._pool = ConnectionPool(
                self._url, address, self._max_connections, server=self._server, on_hangup=self._on_server_closed
            )
        return self._pool

    def _encode(self, pool: ConnectionPool, method: str, path: str, body: bytes | None, request_id: str) -> bytes:
        headers = propagation.current().headers
        if request_id:
            headers = headers | {"x-request-id": request_id}
        return pool.address.request(method, path, self._lines + header_lines(headers), body)

    def _on_server_closed(self) -> None:
        self.on_hangup()

    def _timed_out(self, seconds: float) -> EngineTimeout:
        return EngineTimeout(f"{self._url} did not answer within {seconds:.1f} s")


class _StreamedReply:
    """ChunkedReply of a response that has begun."""

    def __init__(
        self, url: str, connection: Connection, response: Response, *, between_bytes: float, end: float
    ) -> None:
        self._url = url
        self._connection = connection
        self._response = response
        self._between_bytes = between_bytes
        self._end = end

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def content_type(self) -> str:
        return self._response.headers.get("content-type", _NO_TYPE).partition(";")[0].strip().lower()

    async def read(self, within: float | None = None) -> bytes:
        seconds = self._between_bytes if within is None else within
        silence = asyncio.get_running_loop().time() + seconds
        try:
            chunk = await self._response.read(min(silence, self._end))
        except TimeoutError as error:
            if self._end < silence:
                raise EngineTimeout(f"{self._url} had not finished its stream when its time was over") from error
            raise EngineTimeout(f"{self._url} sent nothing for {seconds:g} s within its stream") from error
        self._connection.resume()
        return chunk

    async def read_all(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        while chunk := await self.read():
            chunks.append(chunk)
            limit -= len(chunk)
            if limit < 0:
                raise BadResponse("the answer is longer than what is read of one")
        return b"".join(chunks)
