"""What a request says, and that a POST which may have been heard is not sent again."""

import asyncio

import pytest

from boardroom.engine.errors import ConnectionLost, EngineError, InvalidRequest
from boardroom.engine.transport import HttpTransport
from boardroom.telemetry import propagation
from component.engine.calling import LIMIT, get, post
from component.engine.keeping_server import Asked, echo, keeping_server, says, whole


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
    "url",
    ["", "lorax", "ftp://x", "http://", "http://x:99999", "http://u:p@x", "http://x/?a=b", f"http://{'x' * 64}.test"],
)
async def test_a_url_that_is_none_is_an_error_of_ours(url: str) -> None:
    http = HttpTransport(url)
    with pytest.raises(EngineError, match=r"does not speak HTTP as expected|unreachable"):
        await get(http, 5)
    await http.close()


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
