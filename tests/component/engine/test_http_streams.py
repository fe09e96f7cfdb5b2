"""An answer that is read as it comes: no faster than its reader, and up to its break."""

import asyncio

import pytest

from boardroom.engine.errors import ConnectionLost
from boardroom.engine.transport import HttpTransport
from component.coordinator.standing_board import until
from component.engine.calling import LIMIT, PATIENT
from component.engine.keeping_server import Asked, keeping_server, says


async def test_a_stream_whose_reader_sleeps_is_read_no_further() -> None:
    sent = 0
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

    async def talk(asked: Asked) -> bool:
        nonlocal sent
        await asked.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(1000):
            await asked.say(chunk)
            sent += 1
        await asked.say(b"0\r\n\r\n")
        return True

    async with keeping_server(talk) as server:
        http = HttpTransport(server.url)
        async with http.stream("/", timeouts=PATIENT, limit=2**30, body=b"") as reply:
            await asyncio.sleep(0.5)
            before = sent
            size = 0
            while piece := await reply.read():
                size += len(piece)
        again = await asyncio.wait_for(http.request("POST", "/", timeout=10, limit=2**30, body=b""), 10)
        await http.close()
    assert before < 500  # the rest of it does not fit into the kernel's buffers
    assert (size, len(again.body), server.accepted) == (1000 * 0x10000, 1000 * 0x10000, 1)


async def test_bytes_before_a_break_are_read_before_its_error() -> None:
    cut = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
    async with keeping_server(says(cut, stays=False)) as server:
        http = HttpTransport(server.url)
        async with http.stream("/", timeouts=PATIENT, limit=LIMIT, body=b"") as reply:
            await until(lambda: not server.open)
            await asyncio.sleep(0.05)
            first = await reply.read()
            with pytest.raises(ConnectionLost):
                await reply.read()
        await http.close()
    assert first == b"hello"
