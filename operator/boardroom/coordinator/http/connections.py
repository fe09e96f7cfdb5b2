"""Callers' connections: uvicorn's protocol with limits on the size and time of a head, without upgrades, and with one
write for a whole response.
"""

import asyncio
from typing import Any, Final

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 64 * 1024
"""Limit on bytes that are neither a whole head nor body: request line, headers, chunk extensions, trailers."""

HEAD_SECONDS: Final = 30.0
"""Limit on the time that a head takes."""


def _refusal(status: str, code: str, message: str) -> bytes:
    """The response to bytes that are no request, in the API's error shape."""
    body = f'{{"error":{{"code":"{code}","message":"{message}"}}}}'
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close"
    return f"{head}\r\n\r\n{body}".encode()


_TOO_LARGE: Final = _refusal(
    "431 Request Header Fields Too Large",
    "head_too_large",
    f"the request's line and headers are longer than {MAX_HEAD_BYTES} bytes",
)
_NO_HTTP: Final = _refusal(
    "400 Bad Request",
    "invalid_http",
    "what came is no HTTP/1.1 request: speak HTTP/1.1 without TLS, and percent-encode the path",
)


class RequestTask:
    """The task that answers a request. A client that disconnects cancels the task."""

    __slots__ = ("_task", "is_disconnected")

    def __init__(self) -> None:
        self.is_disconnected = False
        self._task = asyncio.current_task()

    def disconnected(self) -> None:
        """Cancel the task, unless it has its answer."""
        if self._task is not None:
            self.is_disconnected = True
            self._task.cancel()

    def finished(self) -> None:
        """The task has its answer, and is not cancelled any more."""
        self._task = None


class UpgradeIgnoringParser:
    """httptools' parser without upgrades, which a server may ignore (RFC 9110, 7.8).

    httptools ends a request that offers an upgrade after its head, because the rest would be the other protocol's. Here
    the rest is HTTP/1.1: the head is parsed again without the offer, and the rest after it.
    """

    def __init__(self, protocol: "ApiProtocol") -> None:
        self._protocol = protocol
        self._parser = self._fresh()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    @property
    def offers_upgrade(self) -> bool:
        """Whether the current request offers an upgrade. CONNECT is none."""
        return self._parser.should_upgrade() and self._parser.get_method() != b"CONNECT"

    def feed_data(self, data: bytes | memoryview) -> None:
        """Parse the next bytes; raises httptools' errors."""
        while True:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                if not self.offers_upgrade:
                    raise
                data = memoryview(data)[upgrade.args[0] :]
                head = self._head()
                self._parser = self._fresh()
                self._parser.feed_data(head)
            else:
                return

    def _fresh(self) -> HttpRequestParser:
        parser = HttpRequestParser(self._protocol)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        return parser

    def _head(self) -> bytes:
        """The head of the current request without its `upgrade` header."""
        target, version = self._protocol.url, self._parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self._parser.get_method(), target, version)]
        lines += [b"%b: %b" % field for field in self._protocol.headers if field[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])


class JoinedWrites:
    """A transport that sends what is written in one turn of the loop with one system call.

    uvicorn writes the head and the body of a response apart.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send the data in the loop's next turn, together with all data written until then."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """Send the data that was written, and close the connection."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._transport.is_closing():
            self._transport.write(b"".join(waiting))


class ApiProtocol(HttpToolsProtocol):
    """Closes a connection that brings neither a whole head nor body for MAX_HEAD_BYTES or HEAD_SECONDS, ignores offers
    of an upgrade, and tells the RequestTask in a request's state that the connection is lost.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.parser: UpgradeIgnoringParser = UpgradeIgnoringParser(self)  # type: ignore[assignment]  # wraps one
        self._bytes_without_progress = 0
        self._made_progress = False
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]  # passes on all else
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)
        if self.cycle is not None and not self.cycle.response_complete:
            request_task = self.cycle.scope["state"].get("request_task")
            if request_task is not None:
                request_task.disconnected()

    def data_received(self, data: bytes) -> None:
        self._made_progress = False
        super().data_received(data)
        if self._made_progress:
            self._bytes_without_progress = 0
            self._stop_timer()
            return
        self._bytes_without_progress += len(data)
        if self._bytes_without_progress > MAX_HEAD_BYTES:
            self._reject(_TOO_LARGE)
        elif self._head_timer is None:
            self._start_timer()

    def on_headers_complete(self) -> None:
        self._made_progress = True
        if not self.parser.offers_upgrade:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._made_progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._made_progress = True
        if not self.parser.offers_upgrade:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's own words)
        self._reject(_NO_HTTP)

    def _reject(self, answer: bytes) -> None:
        if self.cycle is None or self.cycle.response_complete:  # else an answer is on its way
            self.transport.write(answer)
        self.transport.close()

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
