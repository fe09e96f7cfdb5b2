"""One connection of HTTP/1.1: a socket, its parser, and the one exchange at a time that goes over them."""

import asyncio
import select
from collections.abc import Callable
from typing import Final, cast

import httptools

from boardroom.engine.errors import BadResponse, ConnectionLost
from boardroom.engine.response import Answer

MAX_BARREN_BYTES: Final = 64 * 1024
"""So much may come that is neither a whole head nor body: headers, interim answers, chunk extensions, trailers."""

_FIRST_FINAL: Final = 200
_SWITCHING: Final = 101


class Connection(asyncio.Protocol):
    """Made by a pool. `on_lost` is called once, when the socket is closed by whichever side."""

    __slots__ = (
        "_answer", "_barren", "_headers", "_keep", "_on_lost", "_parser", "_paused", "_poll", "_transport", "_url",
        "idle_since", "reused",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, url: str, on_lost: Callable[["Connection"], None]) -> None:
        self.idle_since = 0.0
        self.reused = False
        self._url = url
        self._on_lost = on_lost
        self._parser = httptools.HttpResponseParser(self)
        self._poll = select.poll()
        self._answer: Answer | None = None
        self._headers: dict[str, str] = {}
        self._barren = 0
        self._keep = False
        self._paused = False

    @property
    def closed(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def send(self, request: bytes, answer: Answer) -> None:
        """Send a request; what comes from now on is its answer."""
        self._answer, self._headers, self._barren, self._keep = answer, {}, 0, False
        self._transport.write(request)

    def resume(self) -> None:
        """Read the socket again, now that a reader has taken what lay there."""
        if self._paused and not self.closed:
            self._paused = False
            self._transport.resume_reading()

    def release(self) -> bool:
        """End the exchange. Says whether another may follow: not if either side has more to send of this one."""
        answer, self._answer = self._answer, None
        if not (answer and answer.complete and self._keep) or self.closed:
            return False
        self.reused = True
        return not self._transport.get_write_buffer_size()

    def usable(self) -> bool:
        """Whether it is still open and silent, asked of the kernel: the loop may not have read the end of it yet."""
        return not self.closed and not self._poll.poll(0)

    def close(self) -> None:
        """Close it at once, whatever is under way."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:  # nobody asked: it would be taken for the answer to the next request
            self.close()
            return
        size = answer.size
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._misread(answer, error)
        if answer.size == size and not answer.over:
            self._barren += len(data)
            if self._barren > MAX_BARREN_BYTES:
                answer.fail(BadResponse(f"{self._url} does not speak HTTP as expected: its headers have no end"))
        else:
            self._barren = 0
        if answer.failure is not None:
            self.close()
        elif answer.unread > answer.high_water and not answer.complete and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        answer.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        answer = self._answer
        if answer is not None and not answer.over:
            if exc is None and answer.status and _ends_with_connection(answer.headers):
                answer.complete = True
            else:
                cause = exc or "the server closed it before the end of its answer"
                answer.fail(ConnectionLost(f"the connection to {self._url} broke: {cause}"))
            answer.wake()
        self._on_lost(self)

    def on_message_begin(self) -> None:
        """One answer was asked for: what begins behind its end is nobody's."""
        if self._answer is not None and self._answer.complete:
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers come here too, behind the body, and are dropped."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        headers = self._headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        answer, headers = self._answer, self._headers
        self._headers = {}
        if answer is None or answer.status:
            return
        status = self._parser.get_status_code()
        if status == _SWITCHING:
            answer.fail(BadResponse(f"{self._url} switches to another protocol, which nobody asked for"))
        elif status >= _FIRST_FINAL:  # interim answers are passed over
            answer.begin(status, headers)

    def on_body(self, data: bytes) -> None:
        if self._answer is not None and not self._answer.over:
            self._answer.add(data)

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer is not None and answer.status and not answer.over:
            answer.complete = True
            self._keep = self._parser.should_keep_alive()

    def _misread(self, answer: Answer, error: Exception) -> None:
        """What follows a whole answer costs the connection, and not the answer."""
        if answer.complete:
            self._keep = False
        elif answer.status:
            answer.fail(ConnectionLost(f"the connection to {self._url} broke: {error}"))
        else:
            answer.fail(BadResponse(f"{self._url} does not speak HTTP as expected: {error}"))


def _ends_with_connection(headers: dict[str, str]) -> bool:
    """Whether the end of the connection is the end of the body, because nothing else says where that is."""
    return "content-length" not in headers and not headers.get("transfer-encoding", "").lower().endswith("chunked")
