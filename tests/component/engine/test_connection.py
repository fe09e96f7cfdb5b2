"""Which request goes over which connection: kept, closed, made anew, and never one that may hold another's answer."""

import asyncio
import os
import socket
import time

import pytest

from boardroom.engine.errors import BadResponse, ConnectionLost, EngineTimeout
from boardroom.engine.transport import HttpTransport
from boardroom.engine.transport import pool as pools
from component.coordinator.standing_board import until
from component.engine.calling import post
from component.engine.keeping_server import Asked, echo, keeping_server, says, whole


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with keeping_server(echo) as server:
        http = HttpTransport(server.url)
        found = [(await post(http, body)).body for body in (b"1", b"2", b"3")]
        await http.close()
    assert (found, server.accepted) == ([b"1", b"2", b"3"], 1)


@pytest.mark.parametrize(
    "answer",
    [
        whole(b"x", "connection: close"),
        b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",
        whole(b"x") + whole(b"evil"),
        whole(b"x") + b"HTTP/1.",
        whole(b"x") + b"\0",
    ],
)
async def test_a_connection_that_says_more_or_means_to_close_is_not_used_again(answer: bytes) -> None:
    async with keeping_server(says(answer)) as server:
        http = HttpTransport(server.url)
        found = [(await post(http)).body for _ in range(3)]
        await http.close()
    assert (found, server.accepted) == ([b"x"] * 3, 3)


async def test_bytes_without_a_request_are_no_ones_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the connection, and not only when that has been idle for long: more of it may be on its way."""
    monkeypatch.setattr(pools, "IDLE_SECONDS", 1000.0)

    async def talk(asked: Asked) -> bool:
        await asked.say(whole(b"x"))
        await asyncio.sleep(0.05)
        await asked.say(whole(b"evil"))
        return True

    async with keeping_server(talk) as server:
        http = HttpTransport(server.url)
        await post(http)
        await until(lambda: not server.open)
        again = await post(http)
        await http.close()
    assert (again.body, server.accepted) == (b"x", 2)


async def test_a_connection_that_died_while_the_loop_was_busy_is_noticed_before_it_is_used() -> None:
    """Its end lies in the socket, and the loop has not had a turn to read it."""
    async with keeping_server(echo) as server:
        http = HttpTransport(server.url)
        await post(http)
        [writer] = server.open
        with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as same:
            same.shutdown(socket.SHUT_WR)  # at once, where close() waits for a turn
        time.sleep(0.05)  # noqa: ASYNC251 (busy it is)
        found = await post(http, b"again")
        await http.close()
    assert (found.body, server.accepted) == (b"again", 2)


async def test_a_whole_answer_that_is_late_ends_with_its_connection() -> None:
    async def talk(asked: Asked) -> bool:
        await asked.say(whole(b"xx")[:-1])
        await asked.left()
        return False

    async with keeping_server(talk) as server:
        http = HttpTransport(server.url)
        with pytest.raises(EngineTimeout, match=r"within 0\.2 s"):
            await post(http, seconds=0.2)
        await until(lambda: not server.open)
        await http.close()


@pytest.mark.parametrize("endless", [b"x-header: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["headers", "interim"])
async def test_a_head_without_end_is_no_http(endless: bytes) -> None:
    async def talk(asked: Asked) -> bool:
        await asked.say(b"HTTP/1.1 200 OK\r\n" if endless.startswith(b"x") else b"")
        while True:
            await asked.say(endless * 100)

    async with keeping_server(talk) as server:
        http = HttpTransport(server.url)
        with pytest.raises(BadResponse, match="headers have no end"):
            await post(http)
        await http.close()


async def test_requests_wait_for_a_connection_in_order_until_their_time_is_over() -> None:
    async def talk(asked: Asked) -> bool:
        if asked.body == b"slow":
            await asked.left()
            return False
        await asyncio.sleep(0.02)
        return await echo(asked)

    async with keeping_server(talk) as server:
        http = HttpTransport(server.url, max_connections=1)
        bodies = [str(i).encode() for i in range(5)]
        replies = await asyncio.gather(*(post(http, body) for body in bodies))
        held = asyncio.create_task(post(http, b"slow", 1))
        await until(lambda: server.asked[-1].body == b"slow")
        with pytest.raises(EngineTimeout, match=r"within 0\.1 s"):
            await post(http, b"late", 0.1)
        with pytest.raises(EngineTimeout):
            await held
        last = await post(http, b"last")
        await http.close()
    assert [reply.body for reply in replies] == bodies
    assert (last.body, server.most) == (b"last", 1)


async def test_what_is_idle_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "IDLE_SECONDS", 0.1)
    async with keeping_server(echo) as server:
        http = HttpTransport(server.url)
        await asyncio.gather(*(post(http) for _ in range(3)))
        await until(lambda: not server.open)
        await post(http)
        assert len(server.open) == 1
        await http.close()
        await until(lambda: not server.open)


async def test_close_ends_what_is_under_way_and_keeps_nothing_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "IDLE_SECONDS", 1000.0)

    async def talk(asked: Asked) -> bool:
        if asked.body == b"slow":
            await asked.left()
            return False
        return await echo(asked)

    async with keeping_server(talk) as server:
        http = HttpTransport(server.url)
        slow = asyncio.create_task(post(http, b"slow"))
        await until(lambda: server.asked)
        await http.close()
        with pytest.raises(ConnectionLost):
            await slow
        assert (await post(http, b"after")).body == b"after"
        await until(lambda: not server.open)
