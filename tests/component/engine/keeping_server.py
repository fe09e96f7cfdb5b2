"""A server below HTTP that keeps its connections: it reads requests one after another and answers as a test says."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    """One request as it came; `connection` counts from 0."""

    connection: int
    path: str
    head: bytes
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *pieces: bytes, pause: float = 0.0) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(pause)

    async def left(self) -> bytes:
        """Wait until the client hangs up, or says something that it was not asked for."""
        return await self.reader.read(1)


Talk = Callable[[Asked], Awaitable[bool]]
"""Says whether the connection stays."""


@dataclass
class KeepingServer:
    url: str = ""
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    accepted: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    most: int = 0
    """The most connections that were open at once."""


@contextlib.asynccontextmanager
async def keeping_server(
    talk: Talk, *, tls: ssl.SSLContext | None = None, read_bodies: bool = True
) -> AsyncIterator[KeepingServer]:
    found = KeepingServer()
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        number, found.accepted = found.accepted, found.accepted + 1
        found.open.add(writer)
        found.most = max(found.most, len(found.open))
        try:
            stays = True
            while stays:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head)) if read_bodies else b""
                asked = Asked(number, head.split()[1].decode(), head, body, reader, writer)
                found.asked.append(asked)
                stays = await talk(asked)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or the test is over
        finally:
            writer.close()
            found.open.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        found.port = server.sockets[0].getsockname()[1]
        found.url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{found.port}"
        yield found
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def whole(body: bytes, *lines: str, status: int = 200) -> bytes:
    """A whole answer."""
    head = "\r\n".join([f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *lines, "", ""])
    return head.encode("latin-1") + body


async def echo(asked: Asked) -> bool:
    """Answer with what was asked."""
    await asked.say(whole(asked.body))
    return True


def says(*pieces: bytes, stays: bool = True) -> Talk:
    """Always the same."""

    async def talk(asked: Asked) -> bool:
        await asked.say(*pieces)
        return stays

    return talk
