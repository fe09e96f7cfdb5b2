"""Streams of the LoRAX driver over real HTTP: pieces in their order, the whole at the end, errors inside a 200."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import orjson
import pytest

from boardroom.cli.processes import free_port
from boardroom.engine.errors import (
    AdapterFailed,
    BadResponse,
    ConnectionLost,
    EngineError,
    EngineTimeout,
    GenerationFailed,
    InvalidRequest,
    Overloaded,
    Starting,
    TemplateFailed,
    Unhealthy,
    Unreachable,
)
from boardroom.engine.lorax.driver import LoraxEngine, chat_body
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from component.coordinator.standing_board import Board, served, simulated_lorax
from component.engine.raw_server import drips, raw_server, says, stays_silent_after
from component.engine.scripted_lorax import Call, ScriptedLorax

REQUEST = GenerationRequest(
    request_id="q.ceo", system="Be brief.", prompt="And now?", adapter_id="/models/ceo", max_new_tokens=12
)
PATIENT = StreamTimeouts(whole=10, first_byte=10, between_bytes=10)
HEADERS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
Script = Callable[[Call], Awaitable[None]]


def event(document: Any) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def delta(text: str | None, finish: str | None = None, **more: Any) -> bytes:
    content = {} if text is None else {"role": "assistant", "content": text}
    choice = {"index": 0, "delta": content, "finish_reason": finish}
    return event({"id": "null", "model": "null", "created": 0, "choices": [choice]} | more)


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
END = delta(None, "stop", usage=USAGE) + b"data: [DONE]\n\n"


def streams(*chunks: bytes, content_type: str = "text/event-stream") -> Script:
    """Each chunk leaves by itself."""

    async def script(call: Call) -> None:
        await call.begin(200, content_type)
        for chunk in chunks:
            await call.chunk(chunk)
            await asyncio.sleep(0.01)
        await call.chunk(b"", last=True)

    return script


async def collect(
    engine: LoraxEngine, timeouts: StreamTimeouts = PATIENT, into: list[str | Generation] | None = None
) -> list[str | Generation]:
    """What the stream yields; `into` keeps what came before an error."""
    found = [] if into is None else into
    async with contextlib.aclosing(engine.stream(REQUEST, timeouts)) as pieces:
        async for piece in pieces:
            found.append(piece)
    return found


async def collected(script: Script, timeouts: StreamTimeouts = PATIENT) -> list[str | Generation]:
    async with served(ScriptedLorax(script)) as url:
        engine = LoraxEngine(url)
        try:
            return await collect(engine, timeouts)
        finally:
            await engine.close()


def joined(pieces: Sequence[str | Generation]) -> list[str | Generation]:
    """The text of all pieces, and the whole: how many came together is the network's doing."""
    *texts, last = pieces
    return ["".join(str(text) for text in texts), last]


def whole(text: str, finish: Any = "stop", prompt: int = 7, completion: int = 3) -> Generation:
    return Generation(text=text, finish_reason=finish, prompt_tokens=prompt, completion_tokens=completion)


CHAT: list[tuple[str, Sequence[bytes], list[str | Generation]]] = [
    ("piece by piece", [delta("Sell"), delta(" it"), END], ["Sell it", whole("Sell it")]),
    ("split anywhere", [(delta("Sell") + END)[:30], (delta("Sell") + END)[30:]], ["Sell", whole("Sell")]),
    ("signs of life", [b":\n\n", delta("Sell"), b":\n\n", END], ["Sell", whole("Sell")]),
    ("CRLF", [delta("Sell").replace(b"\n", b"\r\n"), END.replace(b"\n", b"\r\n")], ["Sell", whole("Sell")]),
    ("other fields", [b"event: x\nid: 1\nretry: 5\n" + delta("Sell"), END], ["Sell", whole("Sell")]),
    ("no space after data:", [delta("Sell").replace(b"data: ", b"data:"), END], ["Sell", whole("Sell")]),
    ("stop sequence", [delta("Sell"), delta("END", "content_filter", usage=USAGE)], ["SellEND", whole("SellEND")]),
    ("length", [delta("Sell", "length", usage=USAGE)], ["Sell", whole("Sell", "length")]),
    (
        "length at the model's own end",
        [delta("Sell"), delta("</s>", "length", usage=USAGE)],
        ["Sell", whole("Sell", "length")],
    ),
    ("markup that is text", [delta("</s>"), delta("!", "length", usage=USAGE)], ["</s>!", whole("</s>!", "length")]),
    ("no usage", [delta("Sell", "length")], ["Sell", whole("Sell", "length", 0, 0)]),
    ("nothing said", [END], ["", whole("")]),
]


@pytest.mark.parametrize(("chunks", "expected"), [c[1:] for c in CHAT], ids=[c[0] for c in CHAT])
async def test_a_chat_stream_is_its_pieces_and_then_the_whole(
    chunks: Sequence[bytes], expected: list[str | Generation]
) -> None:
    assert joined(await collected(streams(*chunks))) == expected


async def test_what_came_together_comes_together() -> None:
    found = await collected(streams(delta("Sell") + delta(" it") + END))
    assert found == ["Sell it", whole("Sell it")]


def token(text: str, *, special: bool = False, **last: Any) -> bytes:
    return event({"token": {"id": 1, "text": text, "special": special}, "generated_text": None, "details": None} | last)


async def test_a_model_without_a_template_streams_in_the_plain_layout_from_then_on() -> None:
    paths: list[str] = []
    details = {"finish_reason": "eos_token", "prompt_tokens": 7, "generated_tokens": 3, "seed": None}

    async def script(call: Call) -> None:
        paths.append(call.path)
        if call.path == "/generate_stream":
            last = token("</s>", special=True, generated_text="Sell it", details=details)
            await streams(token("Sell"), token(" it"), last)(call)
        else:
            await call.fail(422, "Template error: template not found", "template_error")

    async with served(ScriptedLorax(script)) as url:
        engine = LoraxEngine(url)
        found = [await collect(engine), await collect(engine)]
        await engine.close()
    assert paths == ["/v1/chat/completions", "/generate_stream", "/generate_stream"]
    assert [joined(pieces) for pieces in found] == [["Sell it", whole("Sell it")]] * 2


ERRORS: list[tuple[str, str, type[EngineError]]] = [
    ("Request failed during generation: Server error: CUDA error", "generation", GenerationFailed),
    ("Request failed: No valid adapter config file found: tried None", "generation", AdapterFailed),
    ("Model is overloaded", "overloaded", Overloaded),
    ("Input validation error: too long", "validation", InvalidRequest),
    ("Tool error", "tool_error", InvalidRequest),
    ("Incomplete generation", "incomplete_generation", GenerationFailed),
    ("unhealthy", "unhealthy", Unhealthy),
    ("what is this", "novelty", GenerationFailed),
    ("what is this", "", BadResponse),
]


@pytest.mark.parametrize(("text", "kind", "expected"), ERRORS)
async def test_an_error_inside_a_200_is_the_error_that_it_would_have_been(
    text: str, kind: str, expected: type[EngineError]
) -> None:
    pieces: list[str | Generation] = []
    async with served(ScriptedLorax(streams(delta("Sell") + event({"error": text, "error_type": kind})))) as url:
        engine = LoraxEngine(url)
        with pytest.raises(EngineError) as raised:
            await collect(engine, into=pieces)
        await engine.close()
    assert (type(raised.value), pieces) == (expected, ["Sell"])
    assert text in str(raised.value)


async def test_a_template_error_after_text_does_not_start_anew() -> None:
    with pytest.raises(TemplateFailed):
        await collected(streams(delta("Sell") + event({"error": "Template error", "error_type": "template_error"})))


async def test_a_refusal_before_the_stream_is_classified() -> None:
    with pytest.raises(Overloaded):
        await collected(lambda call: call.fail(429, "Model is overloaded", "overloaded"))


BAD: list[tuple[bytes, str]] = [
    (b"", "ended before"),
    (delta("Sell"), "ended before"),
    (b"data: [DONE]\n\n", "not why"),
    (b"data: {\n\n", "none of its own"),
    (b"data: \xff\n\n", "none of its own"),
    (b"data: " + b"[" * 100_000 + b"\n\n", "none of its own"),
    (event({"choices": "many"}), "none of its own"),
    (event({"error": {"message": "x"}}), "none of its own"),
    (b"data: " + b"x" * (1024 * 1024 + 1), "longer than"),
]


@pytest.mark.parametrize(("body", "words"), BAD)
async def test_what_is_no_stream_is_a_bad_response(body: bytes, words: str) -> None:
    with pytest.raises(BadResponse, match=words):
        await collected(streams(body))


async def test_a_whole_answer_where_a_stream_was_asked_for_is_a_bad_response() -> None:
    with pytest.raises(BadResponse, match="application/json"):
        await collected(lambda call: call.say("Sell"))


CUT = b"5\r\n:\n\n:\n\r\n"
STAGES: list[tuple[str, Any, type[EngineError], str]] = [
    ("first byte", stays_silent_after(b""), EngineTimeout, "did not answer within 0.3 s"),
    ("slow headers", drips(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", 0.1), EngineTimeout, "did not answer within 0.3 s"),
    ("between bytes", stays_silent_after(HEADERS + CUT), EngineTimeout, "sent nothing for 0.4 s"),
    ("whole", drips(HEADERS, b"3\r\n:\n\n\r\n", 0.05), EngineTimeout, "not finished its stream"),
    ("cut", says(HEADERS + CUT), ConnectionLost, "broke"),
    ("no answer", says(b""), ConnectionLost, "broke"),
    ("not HTTP", says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), BadResponse, "does not speak HTTP"),
]


@pytest.mark.parametrize(("talk", "expected", "words"), [s[1:] for s in STAGES], ids=[s[0] for s in STAGES])
async def test_every_stage_has_its_own_time_and_error(talk: Any, expected: type[EngineError], words: str) -> None:
    timeouts = StreamTimeouts(whole=0.8, first_byte=0.3, between_bytes=0.4)
    async with raw_server(talk) as server:
        engine = LoraxEngine(server.url)
        with pytest.raises(expected, match=words):
            await collect(engine, timeouts)
        await engine.close()


@pytest.mark.parametrize(
    ("url", "expected"), [("http://127.0.0.1:{port}", Starting), ("http://nowhere.invalid:8080", Unreachable)]
)
async def test_a_stream_without_a_connection(url: str, expected: type[EngineError]) -> None:
    engine = LoraxEngine(url.format(port=free_port()))
    with pytest.raises(expected):
        await collect(engine)
    await engine.close()


async def test_a_reader_that_leaves_disconnects_from_lorax() -> None:
    left = asyncio.Event()

    async def script(call: Call) -> None:
        await call.begin(200, "text/event-stream")
        await call.chunk(delta("Sell"))
        await call.client_leaves()
        left.set()

    async with served(ScriptedLorax(script)) as url:
        engine = LoraxEngine(url)
        async with contextlib.aclosing(engine.stream(REQUEST, PATIENT)) as pieces:
            first = await anext(pieces)
        async with asyncio.timeout(5):
            await left.wait()
        await engine.close()
    assert first == "Sell"


async def test_a_connection_is_used_again_after_a_stream() -> None:
    ports: set[int] = set()

    async def script(call: Call) -> None:
        ports.add(call.client_port)
        await streams(delta("Sell"), END)(call)

    async with served(ScriptedLorax(script)) as url:
        engine = LoraxEngine(url)
        for _ in range(3):
            await collect(engine)
        await engine.close()
    assert len(ports) == 1


async def test_a_stream_asks_for_the_same_as_a_whole_answer() -> None:
    bodies: list[dict[str, Any]] = []

    async def script(call: Call) -> None:
        bodies.append(call.body)
        await streams(END)(call)

    await collected(script)
    assert bodies == [chat_body(REQUEST) | {"stream": True}]


@pytest.mark.parametrize("template", ["merge-system", "none"])
async def test_a_stream_of_the_simulator_says_what_its_whole_answer_says(board: Board, template: str) -> None:
    path = str(board.adapter("CEO"))
    request = GenerationRequest(request_id="q", system="", prompt="And?", adapter_id=path, max_new_tokens=40)
    async with simulated_lorax(chat_template=template) as (url, _):
        engine = LoraxEngine(url)
        expected = await engine.generate(request, 20)
        async with contextlib.aclosing(engine.stream(request, PATIENT)) as found:
            *pieces, last = [piece async for piece in found]
        await engine.close()
    assert isinstance(last, Generation)
    assert (last.text, last.finish_reason) == (expected.text, expected.finish_reason)
    assert (last.prompt_tokens, last.completion_tokens) == (expected.prompt_tokens, expected.completion_tokens)
    assert "".join(str(piece) for piece in pieces) == last.text


@pytest.mark.parametrize("template", ["merge-system", "none"])
async def test_a_stream_that_ends_by_itself_at_its_last_token_shows_no_markup(board: Board, template: str) -> None:
    request = GenerationRequest(request_id="q", system="", prompt="And?", adapter_id=None, max_new_tokens=500)
    async with simulated_lorax(chat_template=template) as (url, _):
        engine = LoraxEngine(url)
        expected = await engine.generate(request, 20)
        exact = msgspec.structs.replace(request, max_new_tokens=expected.completion_tokens)
        async with contextlib.aclosing(engine.stream(exact, PATIENT)) as found:
            *pieces, last = [piece async for piece in found]
        await engine.close()
    assert isinstance(last, Generation)
    assert (expected.finish_reason, last.finish_reason) == ("stop", "length")
    assert "".join(str(piece) for piece in pieces) == last.text == expected.text


async def test_a_stream_through_an_adapter_that_is_missing_fails_with_loraxs_cause(board: Board) -> None:
    request = GenerationRequest(
        request_id="q", system="", prompt="x", adapter_id=str(board.adapter("CLO")), max_new_tokens=4
    )
    async with simulated_lorax() as (url, _):
        engine = LoraxEngine(url)
        with pytest.raises(AdapterFailed, match="No valid adapter config file found"):
            async with contextlib.aclosing(engine.stream(request, PATIENT)) as found:
                [piece async for piece in found]
        await engine.close()
