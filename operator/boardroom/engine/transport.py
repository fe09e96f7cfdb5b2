"""The one place where HTTP leaves for an engine. A faster client may replace it here."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from boardroom import __version__
from boardroom.engine.errors import BadResponse, ConnectionLost, EngineTimeout, Starting, Unreachable
from boardroom.engine.protocol import StreamTimeouts
from boardroom.telemetry import propagation

CONNECT_SECONDS = 3.0
"""A pod that is gone drops packets rather than refusing them, so connecting has a limit of its own."""

_DNS_CACHE_SECONDS = 5
MAX_CONNECTIONS = 2048


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer; header names are looked up in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Bounded answers, whole or chunk by chunk; raises only EngineError."""

    @property
    def url(self) -> str:
        """The base URL."""

    async def request(
        self, method: str, path: str, *, timeout: float, limit: int, body: bytes | None = None, request_id: str = ""
    ) -> Reply:
        """Send and read the answer, at most `limit` bytes of it, within `timeout` seconds."""

    def stream(
        self, path: str, *, timeouts: StreamTimeouts, limit: int, body: bytes, request_id: str = ""
    ) -> AbstractAsyncContextManager["ChunkedReply"]:
        """POST, and read the answer chunk by chunk inside the context; leaving it early closes the connection."""

    async def close(self) -> None:
        """Close every connection."""


class ChunkedReply(Protocol):
    """An HTTP answer whose body is still coming; raises only EngineError."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def content_type(self) -> str:
        """The media type without parameters."""

    async def read(self, within: float | None = None) -> bytes:
        """What has come since the last call, at least one byte; b"" at the end. `within` shortens the time for it."""

    async def read_all(self, limit: int) -> bytes:
        """The rest, at most `limit` bytes of it."""


class HttpTransport:
    """Transport over one pooled aiohttp session, made on first use because a session belongs to its event loop."""

    def __init__(
        self,
        url: str,
        max_connections: int = MAX_CONNECTIONS,
        *,
        headers: Mapping[str, str] | None = None,
        who: str = "",
    ) -> None:
        """`headers` go with every request; `who` is how the server is called in errors: LoRAX unless it is said."""
        self._url = url.rstrip("/")
        self._max_connections = max_connections
        self._headers = dict(headers or {})
        self._who = who
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return self._url

    async def request(
        self, method: str, path: str, *, timeout: float, limit: int, body: bytes | None = None, request_id: str = ""
    ) -> Reply:
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=min(CONNECT_SECONDS, timeout))
        with self.errors(f"{self._url} did not answer within {timeout:.1f} s"):
            async with await self._send(method, path, limits, body, request_id) as response:
                return Reply(response.status, response.headers, await _bounded(response, limit))

    @asynccontextmanager
    async def stream(
        self, path: str, *, timeouts: StreamTimeouts, limit: int, body: bytes, request_id: str = ""
    ) -> AsyncIterator[ChunkedReply]:
        loop = asyncio.get_running_loop()
        end = loop.time() + timeouts.whole
        limits = aiohttp.ClientTimeout(total=None, sock_connect=min(timeouts.connect, timeouts.whole))
        seconds = min(timeouts.first_byte, timeouts.whole)
        with self.errors(f"{self._url} did not answer within {seconds:.1f} s", timeouts.connect):
            async with asyncio.timeout(seconds):
                response = await self._send("POST", path, limits, body, request_id)
        try:
            yield _HttpChunks(self, response, limit=limit, between_bytes=timeouts.between_bytes, end=end)
        finally:
            response.release()  # puts the connection back if the answer is read to its end, else closes it

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(
        self, method: str, path: str, limits: aiohttp.ClientTimeout, body: bytes | None, request_id: str
    ) -> aiohttp.ClientResponse:
        headers = ({"x-request-id": request_id} if request_id else {}) | propagation.current().headers
        if body is not None:
            headers["content-type"] = "application/json"
        return await self._open().request(
            method, self._url + path, data=body, headers=headers, timeout=limits, allow_redirects=False
        )

    @contextmanager
    def errors(self, late: str, connect: float = CONNECT_SECONDS) -> Iterator[None]:
        """The client's errors as ours; `late` is what is said when the time is over."""
        try:
            yield
        except aiohttp.ConnectionTimeoutError as error:
            raise Unreachable(f"{self._url} is unreachable: no connection within {connect:g} s") from error
        except TimeoutError as error:
            raise EngineTimeout(late) from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ConnectionRefusedError):
                raise self._refused() from error
            raise Unreachable(f"{self._who or 'LoRAX'} is unreachable at {self._url}: {error.os_error}") from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError) as error:
            raise ConnectionLost(f"the connection to {self._url} broke: {error}") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise BadResponse(f"{self._url} does not speak HTTP as expected: {error}") from error

    def _refused(self) -> Unreachable:
        if self._who:
            return Unreachable(f"{self._who} refuses connections at {self._url}")
        return Starting(f"LoRAX is starting at {self._url}: it refuses connections until it is warm")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._max_connections, ttl_dns_cache=_DNS_CACHE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"user-agent": f"boardroom/{__version__}", "accept-encoding": "identity"} | self._headers,
                auto_decompress=False,  # nothing compressed was asked for, and a small body may unpack to a huge one
            )
        return self._session


class _HttpChunks:
    """ChunkedReply of aiohttp. Each read has its own timer: one around them all would strike in the reader's code."""

    def __init__(
        self,
        transport: HttpTransport,
        response: aiohttp.ClientResponse,
        *,
        limit: int,
        between_bytes: float,
        end: float,
    ) -> None:
        self._transport = transport
        self._response = response
        self._left = limit
        self._between_bytes = between_bytes
        self._end = end

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def content_type(self) -> str:
        return self._response.content_type

    async def read(self, within: float | None = None) -> bytes:
        seconds = self._between_bytes if within is None else within
        silence = asyncio.get_running_loop().time() + seconds
        with self._transport.errors(
            f"{self._transport.url} had not finished its stream when its time was over"
            if self._end < silence
            else f"{self._transport.url} sent nothing for {seconds:g} s within its stream"
        ):
            async with asyncio.timeout_at(min(silence, self._end)):
                chunk = await self._response.content.readany()
        self._left -= len(chunk)
        if self._left < 0:
            raise BadResponse("the stream is longer than what is read of one")
        return chunk

    async def read_all(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        while chunk := await self.read():
            chunks.append(chunk)
            limit -= len(chunk)
            if limit < 0:
                raise BadResponse("the answer is longer than what is read of one")
        return b"".join(chunks)


async def _bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read at most `limit` bytes: an engine gone mad must not take the coordinator's memory with it."""
    if (response.content_length or 0) > limit:
        response.close()
        raise BadResponse(f"the answer is {response.content_length} bytes long; at most {limit} are read")
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            response.close()
            raise BadResponse(f"the answer is longer than the {limit} bytes that are read")
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
