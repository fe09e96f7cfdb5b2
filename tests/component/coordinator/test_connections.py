"""Connections of callers that send no whole request: who they are is not known yet, so little is spent on them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import orjson
import pytest

from boardroom.coordinator.http import connections as callers
from boardroom.coordinator.http.connections import MAX_HEAD_BYTES
from component.coordinator.standing_board import ROLES, Board, Standing, served, standing, until_counted
from component.engine.scripted_lorax import Call, ScriptedLorax, beside_probes

POST = b"POST /v1/ask HTTP/1.1\r\nhost: board\r\ntransfer-encoding: chunked\r\n\r\n"


@asynccontextmanager
async def connected(stand: Standing) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    url = stand.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("before", "endless"),
    [
        (b"GET /", b"x"),
        (b"GET / HTTP/1.1\r\nhost: board\r\nx: ", b"x"),
        (b"GET / HTTP/1.1\r\n", b"x: y\r\n"),
    ],
    ids=["line", "header", "headers"],
)
async def test_a_head_without_an_end_is_refused(board: Board, before: bytes, endless: bytes) -> None:
    async with standing(board, None) as stand, connected(stand) as (reader, writer):
        writer.write(before + endless * (MAX_HEAD_BYTES // len(endless)))
        found = await reader.read()
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert orjson.loads(body)["error"]["code"] == "head_too_large"


async def test_a_piece_of_a_body_whose_extension_has_no_end_costs_the_connection(board: Board) -> None:
    async with standing(board, None) as stand, connected(stand) as (reader, writer):
        writer.write(POST + b"1;")
        await writer.drain()
        await asyncio.sleep(0.05)  # the head is read, or comes together with some of what follows
        writer.write(b"x" * (MAX_HEAD_BYTES + 1))
        assert await reader.read() == b""


@pytest.mark.parametrize("begun", [b"", b"GET /v1/mod", b"GET / HTTP/1.1\r\nhost: board\r\n"])
async def test_a_request_that_does_not_come_is_not_waited_for(
    board: Board, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(callers, "HEAD_SECONDS", 0.1)
    async with standing(board, None) as stand, connected(stand) as (reader, writer):
        writer.write(begun)
        async with asyncio.timeout(20):
            assert await reader.read() == b""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/ask", {"user_input": "And now?", "agents": ["ceo"], "conv_id": "c1"}),
        ("/v1/chat/completions", {"model": "executive/ceo", "messages": [{"role": "user", "content": "And now?"}]}),
    ],
)
async def test_a_client_that_leaves_ends_its_question_also_where_it_asked_for_no_stream(
    board: Board, path: str, body: dict[str, object]
) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    @beside_probes
    async def think(call: Call) -> None:
        asked.set()
        await call.client_leaves()
        left.set()

    async with served(ScriptedLorax(think)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        asking = asyncio.create_task(stand.client.post(path, json=body))
        async with asyncio.timeout(20):
            await asked.wait()
            asking.cancel()
            await left.wait()
        async with httpx.AsyncClient(trust_env=False) as page:
            line = f'boardroom_requests_total{{code="499",mode="parallel",route="{path}"}} 1.0'
            await until_counted(page, stand, line)
            await until_counted(page, stand, "boardroom_questions_in_flight 0.0")
        gone = await stand.client.get("/v1/conversations/c1")
    assert gone.status_code == 404


async def test_a_question_that_came_in_pieces_is_answered_however_long_that_takes(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "HEAD_SECONDS", 0.1)

    async def think(call: Call) -> None:
        await asyncio.sleep(0 if call.is_probe else 0.5)
        await call.say("yes")

    body = b'{"user_input": "And now?"}'
    pieces = [POST[:20], POST[20:], f"{len(body):x}\r\n".encode(), body[:5], body[5:], b"\r\n0\r\n", b"\r\n"]
    async with served(ScriptedLorax(think)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        async with connected(stand) as (reader, writer):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.02)
            found = await reader.readline()
    assert found == b"HTTP/1.1 200 OK\r\n"


OFFER = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
async def test_offers_of_an_upgrade_are_ignored_however_requests_come(board: Board, size: int) -> None:
    """With and without a body, with a length and in chunks, one behind the other, in pieces of any size."""
    get = b"GET /v1/models HTTP/1.1\r\nhost: board\r\n" + OFFER + b"\r\n"
    body = b'{"user_input": "x", "agents": ["nobody"]}'
    told = POST.replace(b"transfer-encoding: chunked\r\n", b"content-length: %d\r\n%b" % (len(body), OFFER)) + body
    chunked = POST.replace(b"transfer", OFFER + b"transfer") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    sent = (get + told + chunked + get.replace(OFFER, b"")) * (1 if size == 1 else 20)
    async with standing(board, None) as stand, connected(stand) as (reader, writer):
        for at in range(0, len(sent), size):
            writer.write(sent[at : at + size])
            await asyncio.sleep(0)
        statuses: list[bytes] = []
        async with asyncio.timeout(20):
            while len(statuses) < sent.count(b" HTTP/1.1\r\n"):
                head = await reader.readuntil(b"\r\n\r\n")
                statuses.append(head.split(b" ", 2)[1])
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
    assert statuses == [b"200", b"404", b"404", b"200"] * (len(statuses) // 4)
