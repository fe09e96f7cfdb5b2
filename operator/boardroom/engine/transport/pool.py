"""A pool of connections to one address: bounded, and each is kept for the next request while it lives."""

import asyncio
import socket
import ssl
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohappyeyeballs import start_connection

from boardroom.engine.errors import Starting, Unreachable
from boardroom.engine.transport.address import Address, AddressInfo
from boardroom.engine.transport.connection import Connection

IDLE_SECONDS: Final = 15.0
"""Shorter than the idle timeouts of servers and of the nodes' connection tracking."""

_HAPPY_EYEBALLS_SECONDS: Final = 0.25
"""After so long without an answer the next address is tried in parallel (RFC 8305)."""

_MAX_LOOP_LAG_SECONDS: Final = 0.05
"""A loop that is late by less has run its other tasks in time."""


class ConnectionPool:
    """At most `max_connections` at once.

    `server` names the server in errors; "" is LoRAX. `on_hangup` is called when the server closes an idle connection.
    """

    def __init__(
        self,
        url: str,
        address: Address,
        max_connections: int,
        *,
        server: str = "",
        on_hangup: Callable[[], None] = lambda: None,
    ) -> None:
        self._url, self.address, self._server, self._on_hangup = url, address, server, on_hangup
        self._slots = asyncio.Semaphore(max_connections)
        """Slots for requests. A request with a slot takes an idle connection, or may open a new one."""
        self._idle: dict[Connection, None] = {}
        """Idle connections, the longest idle first. Requests take the last one, so surplus connections grow old."""
        self._connection_pool: set[Connection] = set()
        self._lookup: asyncio.Future[Any] | None = None
        self._tls: ssl.SSLContext | None = None
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def acquire(self, end: float, connect_seconds: float) -> Connection:
        """Return a connection for one request.

        Raises TimeoutError if none is free until `end` (the loop's clock), and Unreachable.
        """
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
        """Take a connection back after its request, however that ended."""
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
        """Close the idle connections."""
        idle, self._idle = tuple(self._idle), {}
        for connection in idle:
            connection.close()

    async def close(self) -> None:
        """Close every connection. Later requests get a connection each, which is not kept."""
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
        except (OSError, RuntimeError, UnicodeError) as error:  # uvloop raises RuntimeErrors too
            raise Unreachable(f"{self._server or 'LoRAX'} is unreachable at {self._url}: {error}") from error

    async def _open_connection(self, loop: AbstractEventLoop) -> Connection:
        address = self.address
        if address.tls and self._tls is None:
            self._tls = await asyncio.to_thread(_tls_context)
        addresses = address.numeric or await self._resolve(loop)
        sock = await start_connection(addresses, happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS, loop=loop)
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
        """Ask DNS. Concurrent requests share the result; later ones ask again, because pods come and go."""
        if self._lookup is None:
            self._lookup = asyncio.ensure_future(
                loop.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_STREAM)
            )
            self._lookup.add_done_callback(self._on_lookup_done)
        return await asyncio.shield(self._lookup)

    def _on_lookup_done(self, looking: asyncio.Future[Any]) -> None:
        self._lookup = None
        if not looking.cancelled():
            looking.exception()  # retrieved here too, because its waiters may be gone

    def _on_closed(self, connection: Connection) -> None:
        self._connection_pool.discard(connection)
        if connection in self._idle:  # only the server can have closed it: the pool removes a connection before closing
            del self._idle[connection]
            if not self._closed:
                self._on_hangup()

    def _schedule_sweep(self, loop: AbstractEventLoop, seconds: float) -> None:
        self._sweep_timer = loop.call_later(seconds, self._sweep, loop)

    def _sweep(self, loop: AbstractEventLoop) -> None:
        """Close the connections that have been idle too long, and schedule the next sweep."""
        self._sweep_timer = None
        while self._idle:
            connection = next(iter(self._idle))
            remaining = connection.idle_since + IDLE_SECONDS - loop.time()
            if remaining > 0:
                self._schedule_sweep(loop, remaining)
                return
            del self._idle[connection]
            connection.close()

    def _connection_refused(self) -> Unreachable:
        if self._server:
            return Unreachable(f"{self._server} refuses connections at {self._url}")
        return Starting(f"LoRAX is starting at {self._url}: it refuses connections until it is warm")


class _Deadline:
    """Ends a timeout scope at a moment, postponed by as much as the loop is late, at most to `end`.

    In a burst of questions the loop may be seconds late, although the connection has long been established.
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
    """Return a context with the system's CAs. Reading them takes about 20 ms, so callers use a thread."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
