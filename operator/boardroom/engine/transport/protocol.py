"""The interface between a driver and its HTTP transport."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from boardroom.engine.protocol import StreamTimeouts


class Reply(msgspec.Struct, frozen=True):
    """A whole HTTP response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ChunkedReply(Protocol):
    """An HTTP response whose body is still arriving. Every method raises only EngineError."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""

    async def read(self, within: float | None = None) -> bytes:
        """Return what has arrived since the last call, at least one byte; b"" at the end.

        `within` (seconds) takes the place of the stream's own limit between bytes.
        """

    async def read_all(self, limit: int) -> bytes:
        """Return the rest, at most `limit` bytes."""


class Transport(Protocol):
    """Sends requests and reads bounded responses. Every method raises only EngineError."""

    on_hangup: Callable[[], None]
    """Called when the server closes a connection that no request uses. The engine sets it: it is made after us."""

    @property
    def url(self) -> str:
        """The base URL."""

    async def request(
        self, method: str, path: str, *, timeout: float, limit: int, body: bytes | None = None, request_id: str = ""
    ) -> Reply:
        """Send a request and return the response: at most `limit` bytes, within `timeout` seconds."""

    def stream(
        self, path: str, *, timeouts: StreamTimeouts, limit: int, body: bytes, request_id: str = ""
    ) -> AbstractAsyncContextManager[ChunkedReply]:
        """POST, and read the response by chunks inside the context; leaving early closes the connection."""

    async def close(self) -> None:
        """Close every connection."""
