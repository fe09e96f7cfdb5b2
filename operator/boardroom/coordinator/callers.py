"""Connections of callers: uvicorn's, which has no bound of its own on what comes before a body, or for how long."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 64 * 1024
"""So much may come that is neither a whole head nor body: a line, headers, extensions of chunks, trailers."""

HEAD_SECONDS: Final = 30.0
"""A head that takes longer is not waited for; most come at once."""

_MESSAGE: Final = f"the request's line and headers are longer than {MAX_HEAD_BYTES} bytes"
_BODY: Final = f'{{"error":{{"code":"head_too_large","message":"{_MESSAGE}"}}}}'
_TOO_LARGE: Final = (
    "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    f"content-length: {len(_BODY)}\r\nconnection: close\r\n\r\n{_BODY}"
).encode()


class Caller:
    """Who waits for the answer that the current task makes; it is made for nobody once the caller has left."""

    __slots__ = ("_task", "gone")

    def __init__(self) -> None:
        self.gone = False
        self._task = asyncio.current_task()

    def left(self) -> None:
        """The connection is lost: end the task, unless the answer is there."""
        if self._task is not None:
            self.gone = True
            self._task.cancel()

    def answered(self) -> None:
        """The answer is there."""
        self._task = None


class CallerProtocol(HttpToolsProtocol):
    """Closes a connection that brings neither a whole head nor body for MAX_HEAD_BYTES or HEAD_SECONDS, and tells the
    Caller in a request's state that the connection is lost.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._barren = 0
        self._moved = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)
        if self.cycle is not None and not self.cycle.response_complete:
            caller = self.cycle.scope["state"].get("caller")
            if caller is not None:
                caller.left()

    def data_received(self, data: bytes) -> None:
        self._moved = False
        super().data_received(data)
        if self._moved:
            self._barren = 0
            self._rest()
            return
        self._barren += len(data)
        if self._barren > MAX_HEAD_BYTES:
            self._refuse()
        elif self._patience is None:
            self._wait()

    def on_headers_complete(self) -> None:
        self._moved = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._moved = True
        super().on_message_complete()

    def _refuse(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # else an answer is on its way
            self.transport.write(_TOO_LARGE)
        self.transport.close()

    def _wait(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
