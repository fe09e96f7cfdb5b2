"""How a connection comes about: names are looked up, addresses tried, and neither is waited for longer than need be."""

import asyncio
import socket
import time
from typing import Any

import pytest

from boardroom.engine.errors import Unreachable
from boardroom.engine.protocol import StreamTimeouts
from boardroom.engine.transport import HttpTransport
from component.engine.calling import LIMIT, post
from component.engine.keeping_server import echo, keeping_server, says, whole

NAME = "lorax.test"
"""uvloop asks for addresses too, when it connects a socket."""


async def test_dns_is_asked_for_each_connection_and_once_for_those_that_are_made_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def look_up(host: Any, port: Any, **more: Any) -> Any:
        if host == NAME:
            looked.append(host)
            await asyncio.sleep(0.05)
        return await real("127.0.0.1", port, **more)

    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    async with keeping_server(says(whole(b"x", "connection: close"))) as server:
        http = HttpTransport(f"http://{NAME}:{server.port}")
        await asyncio.gather(*(post(http) for _ in range(3)))
        await post(http)
        numeric = HttpTransport(server.url)
        await post(numeric)
        await http.close()
        await numeric.close()
    assert looked == [NAME] * 2


async def test_who_no_longer_waits_for_dns_leaves_it_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    real, looked = loop.getaddrinfo, asyncio.Event()

    async def look_up(host: Any, port: Any, **more: Any) -> Any:
        if host == NAME:
            await looked.wait()
        return await real("127.0.0.1", port, **more)

    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    async with keeping_server(echo) as server:
        http = HttpTransport(f"http://{NAME}:{server.port}")
        first, second = (asyncio.create_task(post(http)) for _ in range(2))
        await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.wait([first])
        looked.set()
        assert (await second).status == 200
        await http.close()


async def test_of_several_addresses_one_that_answers_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()

    real = loop.getaddrinfo

    async def look_up(host: Any, port: Any, **more: Any) -> Any:
        if host != NAME:
            return await real(host, port, **more)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.2", server.port)), (*kind, ("127.0.0.1", server.port))]

    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    async with keeping_server(echo) as server:
        http = HttpTransport(f"http://{NAME}:{server.port}")
        assert (await post(http)).status == 200
        await http.close()


async def test_connecting_has_a_limit_of_its_own() -> None:
    """A listener whose queue is full drops packets, as a node does whose pod is gone."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = []
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(("127.0.0.1", port))
        http = HttpTransport(f"http://127.0.0.1:{port}")
        timeouts = StreamTimeouts(whole=10, connect=0.2, first_byte=10, between_bytes=10)
        with pytest.raises(Unreachable, match=r"no connection within 0\.2 s"):
            async with http.stream("/", timeouts=timeouts, limit=LIMIT, body=b""):
                pass
        await http.close()
        for one in waiting:
            one.close()


async def test_a_loop_that_is_late_does_not_take_it_for_the_network() -> None:
    async with keeping_server(echo) as server:
        http = HttpTransport(server.url)
        timeouts = StreamTimeouts(whole=10, connect=0.1, first_byte=10, between_bytes=10)

        async def ask() -> int:
            async with http.stream("/", timeouts=timeouts, limit=LIMIT, body=b"") as reply:
                return reply.status

        asking = asyncio.create_task(ask())
        for _ in range(3):
            await asyncio.sleep(0)
            time.sleep(0.3)  # noqa: ASYNC251 (busy it is)
        assert await asking == 200
        await http.close()
