"""Connections to one address: bounded in number, kept for the next request, made anew where one has died."""

import asyncio
import socket
import ssl
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohappyeyeballs import start_connection

from boardroom.engine.address import Address, AddressInfo
from boardroom.engine.connection import Connection
from boardroom.engine.errors import Starting, Unreachable

IDLE_SECONDS: Final = 15.0
"""Less than what servers and the nodes' connection tables in between allow an idle connection."""

_HAPPY_EYEBALLS_SECONDS: Final = 0.25
"""RFC 8305: an address that does not answer is not waited for longer before the next is tried beside it."""

_MAX_LOOP_LAG_SECONDS: Final = 0.05
"""A loop that is late by less has had its turns."""


class ConnectionPool:
    """`who` is how the server is called in errors: LoRAX unless it is said. `on_hangup` is called when the server
    closes a connection that nobody used.
    """

    def __init__(
        self,
        url: str,
        address: Address,
        max_connections: int,
        *,
        who: str = "",
        on_hangup: Callable[[], None] = lambda: None,
    ) -> None:
        self._url, self.address, self._who, self._on_hangup = url, address, who, on_hangup
        self._slots = asyncio.Semaphore(max_connections)
        """One for each request, so that there is an idle connection for whoever can't make one."""
        self._idle: dict[Connection, None] = {}
        """The longest idle first; the last is taken first, so that those which are not needed grow old."""
        self._connection_pool: set[Connection] = set()
        self._lookup: asyncio.Future[Any] | None = None
        self._tls: ssl.SSLContext | None = None
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def acquire(self, end: float, connect_seconds: float) -> Connection:
        """A connection for one request; raises TimeoutError where none is free until `end`, and Unreachable."""
        if self._slots.locked():
            async with asyncio.timeout_at(end):
                await self._slots.acquire()
        else:
            await self._slots.acquire()
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.is_usable():
                return connection
            connection.close()
            self._on_hangup()
        try:
            return await self._connect_within(end, connect_seconds)
        except BaseException:
            self._slots.release()
            raise

    def release(self, connection: Connection) -> None:
        """The request is over, however it ended."""
        if connection.end_exchange() and not self._closed:
            loop = asyncio.get_running_loop()
            connection.idle_since = loop.time()
            self._idle[connection] = None
            if self._sweep_timer is None:
                self._schedule_sweep(loop, IDLE_SECONDS)
        else:
            connection.close()
        self._slots.release()

    def close_idle(self) -> None:
        """Close the connections that nobody uses."""
        idle, self._idle = tuple(self._idle), {}
        for connection in idle:
            connection.close()

    async def close(self) -> None:
        """Close every connection. Requests that are still made get one each, which is not kept."""
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for connection in tuple(self._connection_pool):
            connection.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn

    async def _connect_within(self, end: float, seconds: float) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(end) as scope:
                limit = _Deadline(loop, scope, loop.time() + seconds, end)
                try:
                    return await self._open_connection(loop)
                finally:
                    limit.cancel()
        except TimeoutError as error:
            raise Unreachable(f"{self._url} is unreachable: no connection within {seconds:g} s") from error
        except ConnectionRefusedError as error:
            raise self._connection_refused() from error
        except (OSError, RuntimeError, UnicodeError) as error:  # uvloop has RuntimeErrors of its own
            raise Unreachable(f"{self._who or 'LoRAX'} is unreachable at {self._url}: {error}") from error

    async def _open_connection(self, loop: AbstractEventLoop) -> Connection:
        address = self.address
        if address.tls and self._tls is None:
            self._tls = await asyncio.to_thread(_tls_context)
        found = address.numeric or await self._resolve(loop)
        sock = await start_connection(found, happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS, loop=loop)
        connection = Connection(self._url, self._on_closed)
        try:
            await loop.create_connection(
                lambda: connection, sock=sock, ssl=self._tls, server_hostname=address.host if address.tls else None
            )
        except BaseException:
            sock.close()
            raise
        if not connection.closed:
            self._connection_pool.add(connection)
        return connection

    async def _resolve(self, loop: AbstractEventLoop) -> Sequence[AddressInfo]:
        """Ask DNS. Who comes meanwhile shares the response, and nobody later: pods come and go."""
        if self._lookup is None:
            self._lookup = asyncio.ensure_future(
                loop.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_STREAM)
            )
            self._lookup.add_done_callback(self._on_lookup_done)
        return await asyncio.shield(self._lookup)

    def _on_lookup_done(self, looking: asyncio.Future[Any]) -> None:
        self._lookup = None
        if not looking.cancelled():
            looking.exception()  # whoever waits has it; perhaps nobody does any more

    def _on_closed(self, connection: Connection) -> None:
        self._connection_pool.discard(connection)
        if connection in self._idle:  # we take it out before we close it
            del self._idle[connection]
            if not self._closed:
                self._on_hangup()

    def _schedule_sweep(self, loop: AbstractEventLoop, seconds: float) -> None:
        self._sweep_timer = loop.call_later(seconds, self._sweep, loop)

    def _sweep(self, loop: AbstractEventLoop) -> None:
        """Close what has been idle for long, and come again when the next will have been."""
        self._sweep_timer = None
        while self._idle:
            connection = next(iter(self._idle))
            left = connection.idle_since + IDLE_SECONDS - loop.time()
            if left > 0:
                self._schedule_sweep(loop, left)
                return
            del self._idle[connection]
            connection.close()

    def _connection_refused(self) -> Unreachable:
        if self._who:
            return Unreachable(f"{self._who} refuses connections at {self._url}")
        return Starting(f"LoRAX is starting at {self._url}: it refuses connections until it is warm")


class _Deadline:
    """Ends a scope at a moment; later by as much as the loop is late for it, again and again, but by `end`.

    In a burst of questions the loop may be seconds late, and what it waits for has long been there.
    """

    def __init__(self, loop: AbstractEventLoop, scope: asyncio.Timeout, at: float, end: float) -> None:
        self._loop, self._scope, self._end = loop, scope, end
        self._at = min(at, end)
        self._timer = loop.call_at(self._at, self._expire)

    def cancel(self) -> None:
        self._timer.cancel()

    def _expire(self) -> None:
        now = self._loop.time()
        late = now - self._at
        if late < _MAX_LOOP_LAG_SECONDS or now >= self._end:
            self._scope.reschedule(now)
            return
        self._at = min(now + late, self._end)
        self._timer = self._loop.call_at(self._at, self._expire)


def _tls_context() -> ssl.SSLContext:
    """The system's CAs. Reading them takes some 20 ms, so it is done in a thread."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
