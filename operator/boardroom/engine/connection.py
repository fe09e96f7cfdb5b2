"""One connection of HTTP/1.1: a socket, its parser, and the one exchange at a time that goes over them."""

import asyncio
import select
from collections.abc import Callable
from typing import Final, cast

import httptools

from boardroom.engine.errors import BadResponse, ConnectionLost
from boardroom.engine.response import Response

MAX_OVERHEAD_BYTES: Final = 64 * 1024
"""So much may come that is neither a whole head nor body: headers, interim answers, chunk extensions, trailers."""

_FIRST_FINAL_STATUS: Final = 200
_SWITCHING_PROTOCOLS: Final = 101


class Connection(asyncio.Protocol):
    """Made by a pool. `on_closed` is called once, when the socket is closed by whichever side."""

    __slots__ = (
        "_headers",
        "_keep",
        "_notify_closed",
        "_overhead",
        "_parser",
        "_paused",
        "_poll",
        "_response",
        "_transport",
        "_url",
        "idle_since",
        "reused",
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
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def send(self, request: bytes, response: Response) -> None:
        """Send a request; what comes from now on is its response."""
        self._response, self._headers, self._overhead, self._keep = response, {}, 0, False
        self._transport.write(request)

    def resume(self) -> None:
        """Read the socket again, now that a reader has taken what lay there."""
        if self._paused and not self.closed:
            self._paused = False
            self._transport.resume_reading()

    def end_exchange(self) -> bool:
        """End the exchange. Says whether another may follow: not if either side has more to send of this one."""
        response, self._response = self._response, None
        if not (response and response.complete and self._keep) or self.closed:
            return False
        self.reused = True
        return not self._transport.get_write_buffer_size()

    def is_usable(self) -> bool:
        """Whether it is still open and silent, asked of the kernel: the loop may not have read the end of it yet."""
        return not self.closed and not self._poll.poll(0)

    def close(self) -> None:
        """Close it at once, whatever is under way."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:  # nobody asked: it would be taken for the response to the next request
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
                cause = exc or "the server closed it before the end of its response"
                response.fail(ConnectionLost(f"the connection to {self._url} broke: {cause}"))
            response.wake()
        self._notify_closed(self)

    def on_message_begin(self) -> None:
        """One response was asked for: what begins behind its end is nobody's."""
        if self._response is not None and self._response.complete:
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers come here too, behind the body, and are dropped."""
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
            response.fail(BadResponse(f"{self._url} switches to another protocol, which nobody asked for"))
        elif status >= _FIRST_FINAL_STATUS:  # interim answers are passed over
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
        """What follows a whole response costs the connection, and not the response."""
        if response.complete:
            self._keep = False
        elif response.status:
            response.fail(ConnectionLost(f"the connection to {self._url} broke: {error}"))
        else:
            response.fail(BadResponse(f"{self._url} does not speak HTTP as expected: {error}"))


def _ends_with_connection(headers: dict[str, str]) -> bool:
    """Whether the end of the connection is the end of the body, because nothing else says where that is."""
    return "content-length" not in headers and not headers.get("transfer-encoding", "").lower().endswith("chunked")
