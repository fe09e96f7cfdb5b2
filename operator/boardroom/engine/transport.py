"""The one place where HTTP leaves for an engine. A faster client may replace it here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from boardroom import __version__
from boardroom.engine.errors import BadResponse, ConnectionLost, EngineTimeout, Starting, Unreachable

CONNECT_SECONDS = 3.0
"""A pod that is gone drops packets rather than refusing them, so connecting has a limit of its own."""

_DNS_CACHE_SECONDS = 5
_MAX_CONNECTIONS = 2048


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer; header names are looked up in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Whole requests, whole bounded answers; raises only EngineError."""

    @property
    def url(self) -> str:
        """The base URL."""

    async def request(
        self, method: str, path: str, *, timeout: float, limit: int, body: bytes | None = None, request_id: str = ""
    ) -> Reply:
        """Send and read the answer, at most `limit` bytes of it, within `timeout` seconds."""

    async def close(self) -> None:
        """Close every connection."""


class HttpTransport:
    """Transport over one pooled aiohttp session, made on first use because a session belongs to its event loop."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return self._url

    async def request(
        self, method: str, path: str, *, timeout: float, limit: int, body: bytes | None = None, request_id: str = ""
    ) -> Reply:
        headers = {"x-request-id": request_id} if request_id else {}
        if body is not None:
            headers["content-type"] = "application/json"
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=min(CONNECT_SECONDS, timeout))
        try:
            async with self._open().request(
                method, self._url + path, data=body, headers=headers, timeout=limits, allow_redirects=False
            ) as response:
                return Reply(response.status, response.headers, await _bounded(response, limit))
        except aiohttp.ConnectionTimeoutError as error:
            raise Unreachable(f"{self._url} is unreachable: no connection within {CONNECT_SECONDS:g} s") from error
        except TimeoutError as error:
            raise EngineTimeout(f"{self._url} did not answer within {timeout:.1f} s") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ConnectionRefusedError):
                raise Starting(f"LoRAX is starting at {self._url}: it refuses connections until it is warm") from error
            raise Unreachable(f"LoRAX is unreachable at {self._url}: {error.os_error}") from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError) as error:
            raise ConnectionLost(f"the connection to {self._url} broke: {error}") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise BadResponse(f"{self._url} does not speak HTTP as expected: {error}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, ttl_dns_cache=_DNS_CACHE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"user-agent": f"boardroom/{__version__}", "accept-encoding": "identity"},
            )
        return self._session


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
