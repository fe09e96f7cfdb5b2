"""Whatever comes back, the driver raises one of its own errors, in time, with bounded memory, and leaks nothing."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from boardroom.engine.errors import EngineError
from boardroom.engine.lorax.driver import MAX_ANSWER_BYTES, LoraxEngine
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from boardroom.engine.transport import HttpTransport
from component.coordinator.standing_board import until
from component.engine.raw_server import RawServer, Talk, drips, raw_server, says, stays_silent_after

SECONDS = 0.5
REQUEST = GenerationRequest(request_id="q", system="", prompt="x", adapter_id="/models/ceo", max_new_tokens=4)
Ask = Callable[[LoraxEngine], Awaitable[Any]]


def encode_json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, or a lone surrogate
        return repr(value).encode("utf-8", "replace")


def events(value: Any) -> bytes:
    return b"data: " + encode_json(value) + b"\n\n"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("choices", "message", "delta", "content", "finish_reason", "usage", "prompt_tokens", "completion_tokens",
          "error", "error_type", "token", "text", "generated_text", "details", "generated_tokens")  # fmt: skip
PLAUSIBLE = st.recursive(
    JSON,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.binary(max_size=200) | PLAUSIBLE.map(encode_json) | PLAUSIBLE.map(events)
STATUSES = st.sampled_from([200, 204, 301, 400, 404, 413, 415, 422, 424, 429, 500, 502, 503])
TYPES = st.sampled_from(["application/json", "text/event-stream", "text/plain", "", ";;;", "x/y; charset=\u00ff"])
TIMES = st.sampled_from(["", "12", "-1", "nan", "inf", "1e999", "soon"])


async def generate(engine: LoraxEngine) -> Generation:
    return await engine.generate(REQUEST, SECONDS)


async def stream(engine: LoraxEngine) -> Generation:
    timeouts = StreamTimeouts(whole=SECONDS, first_byte=SECONDS, between_bytes=SECONDS)
    async with contextlib.aclosing(engine.stream(REQUEST, timeouts)) as pieces:
        *_, last = [piece async for piece in pieces]
    assert isinstance(last, Generation)
    return last


async def health(engine: LoraxEngine) -> None:
    await engine.health(SECONDS)


async def metrics(engine: LoraxEngine) -> Any:
    return await engine.metrics(SECONDS)


ASKS = (generate, stream, health, metrics)


def head(status: int = 200, content_type: str = "application/json", *lines: str) -> bytes:
    rows = [f"HTTP/1.1 {status} Whatever", f"content-type: {content_type}", *lines, "", ""]
    return "\r\n".join(rows).encode("latin-1")


@settings(max_examples=150)
@given(ask=st.sampled_from(ASKS), status=STATUSES, content_type=TYPES, queue=TIMES, body=BODIES)
@example(generate, 200, "application/json", "nan", b'{"choices":[{"message":{"content":"\\ud800"}}]}')
@example(
    generate, 200, "application/json", "", b'{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":-1}}'
)
@example(generate, 200, "application/json", "", b"[" * 200_000)
@example(generate, 424, "application/json", "", b'{"error":' + b"[" * 200_000)
@example(
    stream, 200, "text/event-stream", "", b'data: {"choices":[{"delta":{"content":"\\udc00"},"finish_reason":"x"}]}\n\n'
)
async def test_any_answer_is_a_generation_or_one_of_our_errors(
    ask: Ask, status: int, content_type: str, queue: str, body: bytes
) -> None:
    answer = head(status, content_type, f"content-length: {len(body)}", f"x-queue-time: {queue}") + body
    async with raw_server(says(answer)) as server:
        engine = LoraxEngine(server.url)
        [found] = await asyncio.gather(ask(engine), return_exceptions=True)
        await engine.close()
    if isinstance(found, BaseException):
        assert isinstance(found, EngineError)
        assert str(found).isprintable()
    elif isinstance(found, Generation):
        assert found.text.encode().decode() == found.text
        assert 0 <= (found.queue_ms or 0) < float("inf")
        assert min(found.prompt_tokens, found.completion_tokens) >= 0


CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


def pours(first: bytes, chunk: bytes, times: int) -> Talk:
    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        for _ in range(times):
            writer.write(chunk)
            await writer.drain()

    return talk


CHUNKED = "transfer-encoding: chunked"
CLOSE = "connection: close"
LIFE = b"10000\r\n" + b":\n" * 0x8000 + b"\r\n"
MISBEHAVIOUR: dict[str, Talk] = {
    "nothing": says(b""),
    "silence": stays_silent_after(b""),
    "half a status line": stays_silent_after(b"HTTP/1.1 20"),
    "slow headers": drips(b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n", 0.05),
    "endless headers": pours(b"HTTP/1.1 200 OK\r\n", b"x-header: " + b"y" * 1000 + b"\r\n", 100_000),
    "one endless header": pours(b"HTTP/1.1 200 OK\r\nx: ", b"y" * 65536, 2000),
    "100 MB": pours(head(200, "application/json", CHUNKED), CHUNK, 1600),
    "100 MB of events": pours(head(200, "text/event-stream", CHUNKED), CHUNK, 1600),
    "100 MB of signs of life": pours(head(200, "text/event-stream", CHUNKED), LIFE, 1600),
    "100 MB announced": stays_silent_after(head(200, "application/json", "content-length: 100000000")),
    "100 MB refusal": pours(head(500, "text/plain", CHUNKED), CHUNK, 1600),
    "slow loris": drips(head(200, "application/json", "content-length: 10000"), b"x", 0.02),
    "slow loris stream": drips(head(200, "text/event-stream", CHUNKED), b"1\r\n:\r\n", 0.02),
    "truncated": says(head(200, "application/json", "content-length: 100") + b"{"),
    "truncated chunk": says(head(200, "text/event-stream", CHUNKED) + b"ff\r\nda"),
    "bad chunk size": says(head(200, "text/event-stream", CHUNKED) + b"zz\r\nda"),
    "bad length": says(head(200, "application/json", "content-length: many") + b"{"),
    "no HTTP": says(b"\x16\x03\x01\x02\x00" * 20),
    "a redirect": says(head(302, "text/plain", "location: http://127.0.0.1:9/", "content-length: 0", CLOSE)),
    "gzip": says(head(200, "application/json", "content-encoding: gzip", "content-length: 3", CLOSE) + b"\x1f\x8b\x08"),
    "100 Continue for ever": pours(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 100_000),
}  # fmt: skip


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (counted, not used)


@pytest.mark.parametrize("ask", [generate, stream], ids=["generate", "stream"])
@pytest.mark.parametrize("talk", MISBEHAVIOUR.values(), ids=MISBEHAVIOUR)
async def test_misbehaviour_is_one_of_our_errors_and_leaks_no_connection(ask: Ask, talk: Talk) -> None:
    """The pool has two places, so that a third question would hang if one of them leaked."""
    async with raw_server(talk) as server:
        before = open_files()
        engine = LoraxEngine(server.url, HttpTransport(server.url, max_connections=2))
        for _ in range(3):
            with pytest.raises(EngineError):
                await ask(engine)
        await until(lambda: not server.open)
        await until(lambda: open_files() <= before)
        await engine.close()
    assert server.accepted >= 3


async def test_a_cancelled_question_gives_its_connection_back() -> None:
    async with raw_server(stays_silent_after(b"")) as server:
        engine = LoraxEngine(server.url, HttpTransport(server.url, max_connections=1))
        for _ in range(3):
            asking = asyncio.create_task(generate(engine))
            await until(lambda: server.open)
            asking.cancel()
            await asyncio.wait([asking])
            await nobody_connected(server)
        await engine.close()
    assert server.accepted == 3


async def nobody_connected(server: RawServer) -> None:
    await until(lambda: not server.open)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_of_a_huge_answer_only_a_bounded_part_is_read(kind: str) -> None:
    sent = 0

    async def talk(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(head(200, kind, CHUNKED))
        while True:
            writer.write(CHUNK)
            await writer.drain()
            sent += len(CHUNK)

    async with raw_server(talk) as server:
        engine = LoraxEngine(server.url)
        with pytest.raises(EngineError):
            await (stream if "event" in kind else lambda e: e.generate(REQUEST, 20))(engine)
        await nobody_connected(server)
        await engine.close()
    assert sent < 4 * MAX_ANSWER_BYTES
