"""HTTP/1.1 connections: a socket, its parser, and at most one exchange at a time."""

import asyncio
import select
from collections.abc import Callable
from typing import Final, cast

import httptools

from boardroom.engine.errors import BadResponse, ConnectionLost
from boardroom.engine.transport.response import Response

MAX_OVERHEAD_BYTES: Final = 64 * 1024
"""Bytes that may arrive without adding to head or body: headers, interim responses, chunk extensions, trailers."""

_FIRST_FINAL_STATUS: Final = 200
_SWITCHING_PROTOCOLS: Final = 101


class Connection(asyncio.Protocol):
    """A pool makes it. `on_closed` is called once, when either side has closed the socket."""

    __slots__ = (
        "_headers", "_keep", "_notify_closed", "_overhead", "_parser", "_paused", "_poll", "_response", "_transport",
        "_url", "idle_since", "reused",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, url: str, on_closed: Callable[["Connection"], None]) -> None:
        self.idle_since = 0.0
        self.reused = False
        self._url = url
        self._notify_closed = on_closed
        self._parser = httptools.HttpResponseParser(self)
        self._poll = select.poll()
        self._response: Response | None = None
        self._headers: dict[str, str] = {}
        self._overhead = 0
        self._keep = False
        self._paused = False

    @property
    def closed(self) -> bool:
        """Whether the connection is closed or closing."""
        return self._transport.is_closing()

    def send(self, request: bytes, response: Response) -> None:
        """Send a request. All bytes that arrive afterwards belong to its response."""
        self._response, self._headers, self._overhead, self._keep = response, {}, 0, False
        self._transport.write(request)

    def resume(self) -> None:
        """Read the socket again, after the reader has taken the chunks that were buffered."""
        if self._paused and not self.closed:
            self._paused = False
            self._transport.resume_reading()

    def end_exchange(self) -> bool:
        """End the exchange. Return whether another may follow: not if either side has more of this one to send."""
        response, self._response = self._response, None
        if not (response and response.complete and self._keep) or self.closed:
            return False
        self.reused = True
        return not self._transport.get_write_buffer_size()

    def is_usable(self) -> bool:
        """Whether the connection is open and silent. Asks the kernel: the loop may not have seen its end yet."""
        return not self.closed and not self._poll.poll(0)

    def close(self) -> None:
        """Close the connection at once, also in an exchange."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:  # unsolicited: the next request would take it for its response
            self.close()
            return
        size = response.size
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._on_parse_error(response, error)
        if response.size == size and not response.ended:
            self._overhead += len(data)
            if self._overhead > MAX_OVERHEAD_BYTES:
                response.fail(BadResponse(f"{self._url} does not speak HTTP as expected: its headers have no end"))
        else:
            self._overhead = 0
        if response.failure is not None:
            self.close()
        elif response.unread > response.high_water and not response.complete and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        response.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        response = self._response
        if response is not None and not response.ended:
            if exc is None and response.status and _ends_with_connection(response.headers):
                response.complete = True
            else:
                cause = exc or "the server closed it before the end of its answer"
                response.fail(ConnectionLost(f"the connection to {self._url} broke: {cause}"))
            response.wake()
        self._notify_closed(self)

    def on_message_begin(self) -> None:
        """A message after the response belongs to no request, so the connection is not kept."""
        if self._response is not None and self._response.complete:
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Record a header. The parser also calls this for trailers after the body, which are dropped."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        headers = self._headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        response, headers = self._response, self._headers
        self._headers = {}
        if response is None or response.status:
            return
        status = self._parser.get_status_code()
        if status == _SWITCHING_PROTOCOLS:
            response.fail(BadResponse(f"{self._url} switches to another protocol, which was not asked for"))
        elif status >= _FIRST_FINAL_STATUS:  # interim responses are skipped
            response.begin(status, headers)

    def on_body(self, data: bytes) -> None:
        if self._response is not None and not self._response.ended:
            self._response.add(data)

    def on_message_complete(self) -> None:
        response = self._response
        if response is not None and response.status and not response.ended:
            response.complete = True
            self._keep = self._parser.should_keep_alive()

    def _on_parse_error(self, response: Response, error: Exception) -> None:
        """Bytes that cannot be parsed after a whole response cost the connection, not the response."""
        if response.complete:
            self._keep = False
        elif response.status:
            response.fail(ConnectionLost(f"the connection to {self._url} broke: {error}"))
        else:
            response.fail(BadResponse(f"{self._url} does not speak HTTP as expected: {error}"))


def _ends_with_connection(headers: dict[str, str]) -> bool:
    """Whether the body ends with the connection, because no header says where it ends."""
    return "content-length" not in headers and not headers.get("transfer-encoding", "").lower().endswith("chunked")
