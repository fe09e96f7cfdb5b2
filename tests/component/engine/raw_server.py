"""A server below HTTP: it says given bytes, at given moments, and counts who is connected."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Reads one request per connection, answers as `talk` says, and hangs up."""

    url: str = ""
    accepted: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)


@contextlib.asynccontextmanager
async def raw_server(talk: Talk) -> AsyncIterator[RawServer]:
    found = RawServer()
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        found.accepted += 1
        found.open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            talking = asyncio.ensure_future(talk(writer))
            leaving = asyncio.ensure_future(hung_up(reader))
            await asyncio.wait([talking, leaving], return_when=asyncio.FIRST_COMPLETED)
            talking.cancel()
            leaving.cancel()
            await asyncio.gather(talking, leaving, return_exceptions=True)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        found.open.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    async with server:
        found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield found
        for writer in found.open:
            writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)


async def hung_up(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


def says(data: bytes) -> Talk:
    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return talk


def stays_silent_after(data: bytes) -> Talk:
    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await asyncio.Event().wait()

    return talk


def drips(data: bytes, piece: bytes, seconds: float) -> Talk:
    """`data`, and then `piece` again and again."""

    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(seconds)

    return talk
