"""Which request goes over which connection: kept, closed, made anew, and never one that may hold another's answer."""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from boardroom.engine import pool as pools
from boardroom.engine.errors import BadResponse, ConnectionLost, EngineError, EngineTimeout, InvalidRequest, Unreachable
from boardroom.engine.protocol import StreamTimeouts
from boardroom.engine.transport import HttpTransport, Reply
from boardroom.telemetry import propagation
from unit.coordinator.standing_board import until
from unit.engine.keeping_server import Asked, keeping_server, whole

LIMIT = 1_000_000
NAME = "lorax.test"
"""uvloop asks for addresses too, when it connects a socket."""
PATIENT = StreamTimeouts(whole=10, first_byte=10, between_bytes=10)


async def post(http: HttpTransport, body: bytes = b"{}", seconds: float = 10) -> Reply:
    return await http.request("POST", "/ask", timeout=seconds, limit=LIMIT, body=body)


async def get(http: HttpTransport, seconds: float = 10) -> Reply:
    return await http.request("GET", "/health", timeout=seconds, limit=LIMIT)


async def echo(asked: Asked) -> bool:
    await asked.say(whole(asked.body))
    return True


def says(*pieces: bytes, stays: bool = True) -> Callable[[Asked], Awaitable[bool]]:
    async def talk(asked: Asked) -> bool:
        await asked.say(*pieces)
        return stays

    return talk


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with keeping_server(echo) as server:
        http = HttpTransport(server.url)
        found = [(await post(http, body)).body for body in (b"1", b"2", b"3")]
        await http.close()
    assert (found, server.accepted) == ([b"1", b"2", b"3"], 1)


async def test_a_request_is_one_request_with_what_it_must_say() -> None:
    async with keeping_server(echo) as server:
        http = HttpTransport(f"{server.url}/v1/", headers={"authorization": "Bearer sk-1"})
        trace = propagation.Trace(f"00-{'1' * 32}-{'2' * 16}-01", "a=b")
        with propagation.within(trace):
            await http.request("POST", "/chat", timeout=10, limit=LIMIT, body=b"[1]", request_id="q.ceo")
        await http.close()
    [asked] = server.asked
    start, *lines = asked.head.decode().removesuffix("\r\n\r\n").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    agent = headers.pop("user-agent")
    assert (start, asked.body, agent.startswith("boardroom/")) == ("POST /v1/chat HTTP/1.1", b"[1]", True)
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "authorization": "Bearer sk-1",
        "traceparent": trace.parent,
        "tracestate": "a=b",
        "x-request-id": "q.ceo",
        "content-type": "application/json",
        "content-length": "3",
    }


@pytest.mark.parametrize("bad", ["a\r\nx-evil: 1", "a\nb", "a\0b", "\x7f", "\ud800"])
async def test_no_header_can_hold_another(bad: str) -> None:
    async with keeping_server(echo) as server:
        http = HttpTransport(server.url, headers={"authorization": bad})
        with pytest.raises(InvalidRequest, match="header"):
            await post(http)
        await http.close()
        http = HttpTransport(server.url)
        with pytest.raises(InvalidRequest, match="header"):
            await http.request("POST", "/", timeout=10, limit=LIMIT, body=b"", request_id=bad)
        await http.close()
    assert server.accepted == 0


async def test_a_refused_header_is_named_and_its_value_is_not() -> None:
    http = HttpTransport("http://127.0.0.1:9", headers={"authorization": "Bearer sk-secret\n"})
    with pytest.raises(InvalidRequest) as raised:
        await post(http)
    assert ("authorization" in str(raised.value), "secret" in str(raised.value)) == (True, False)


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


async def test_what_comes_when_nobody_asked_is_nobodys_answer(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def hears_once(asked: Asked) -> bool:
    """Answers the first request of a connection, and hangs up on the second."""
    if asked.body == b"first":
        await asked.say(whole(b"x"))
        return True
    return False


async def test_a_post_that_may_have_been_heard_is_not_sent_again() -> None:
    async with keeping_server(hears_once) as server:
        http = HttpTransport(server.url)
        await post(http, b"first")
        with pytest.raises(ConnectionLost):
            await post(http, b"second")
        await http.close()
    assert [asked.body for asked in server.asked] == [b"first", b"second"]


async def test_a_get_is_sent_again_when_a_kept_connection_breaks_under_it() -> None:
    heard: list[int] = []

    async def talk(asked: Asked) -> bool:
        heard.append(asked.connection)
        if heard.count(asked.connection) == 2:
            return False
        await asked.say(whole(b"x"))
        return True

    async with keeping_server(talk) as server:
        http = HttpTransport(server.url)
        found = [(await get(http)).status for _ in range(2)]
        await http.close()
    assert (found, heard) == ([200, 200], [0, 0, 1])


async def test_a_get_on_a_new_connection_is_not_sent_again() -> None:
    async with keeping_server(says(stays=False)) as server:
        http = HttpTransport(server.url)
        with pytest.raises(ConnectionLost):
            await get(http)
        await http.close()
    assert len(server.asked) == 1


async def test_an_answer_that_comes_before_the_request_is_sent_counts_and_costs_the_connection() -> None:
    refusal = whole(b"too long", status=413)

    async def talk(asked: Asked) -> bool:
        await asked.say(refusal)
        await asyncio.Event().wait()
        return False

    async with keeping_server(talk, read_bodies=False) as server:
        http = HttpTransport(server.url)
        found = [await post(http, b"x" * 30_000_000) for _ in range(2)]
        await http.close()
    assert [(reply.status, reply.body) for reply in found] == [(413, b"too long")] * 2
    assert server.accepted == 2


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


async def test_who_waits_for_a_connection_gets_it_in_turn_or_is_told_that_time_is_over() -> None:
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


async def test_what_came_before_a_break_is_read_before_it_is_told() -> None:
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


@pytest.mark.parametrize(
    "url",
    ["", "lorax", "ftp://x", "http://", "http://x:99999", "http://u:p@x", "http://x/?a=b", f"http://{'x' * 64}.test"],
)
async def test_a_url_that_is_none_is_an_error_of_ours(url: str) -> None:
    http = HttpTransport(url)
    with pytest.raises(EngineError, match=r"does not speak HTTP as expected|unreachable"):
        await get(http, 5)
    await http.close()
