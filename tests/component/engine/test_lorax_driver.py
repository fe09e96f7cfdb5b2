"""The LoRAX driver over real HTTP, against a LoRAX that says what each test tells it to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from boardroom.cli.processes import free_port
from boardroom.engine.chat.response import finish_reason
from boardroom.engine.errors import (
    BadResponse,
    ConnectionLost,
    EngineError,
    EngineTimeout,
    InvalidRequest,
    Starting,
    Unreachable,
)
from boardroom.engine.lorax.driver import MAX_ANSWER_BYTES, LoraxEngine, chat_body, plain_body
from boardroom.engine.protocol import Generation, GenerationRequest
from component.coordinator.standing_board import served
from component.engine.scripted_lorax import Call, ScriptedLorax

REQUEST = GenerationRequest(
    request_id="q.ceo", system="Be brief.", prompt="And now?", adapter_id="/models/ceo", max_new_tokens=12
)


async def generate(script: Callable[[Call], Awaitable[None]], *requests: GenerationRequest) -> list[Generation]:
    async with served(ScriptedLorax(script)) as url:
        engine = LoraxEngine(url)
        try:
            return [await engine.generate(request, 5) for request in requests or (REQUEST,)]
        finally:
            await engine.close()


async def test_an_answer_carries_text_tokens_and_lorax_times() -> None:
    found = await generate(lambda call: call.say("Sell.", x_queue_time="42", x_total_time="1200"))
    assert found == [
        Generation(
            text="Sell.", finish_reason="stop", prompt_tokens=7, completion_tokens=3, queue_ms=42.0, total_ms=1200.0
        )
    ]


async def test_the_request_id_is_passed_on() -> None:
    ids: list[str] = []

    async def script(call: Call) -> None:
        ids.append(call.headers["x-request-id"])
        await call.say("yes")

    await generate(script)
    assert ids == ["q.ceo"]


async def test_a_template_that_refuses_system_messages_still_lays_out_what_has_none() -> None:
    paths: list[str] = []

    async def refuse_system(call: Call) -> None:
        paths.append(call.path)
        if call.path != "/generate" and call.body["messages"][0]["role"] == "system":
            await call.fail(422, "Template error: System role not supported", "template_error")
        else:
            await call.say("yes")

    bare = replace(REQUEST, system="")
    await generate(refuse_system, REQUEST, bare, REQUEST, bare)
    chat, plain = "/v1/chat/completions", "/generate"
    assert paths == [chat, plain, chat, plain, chat]


async def test_a_model_without_a_template_is_asked_in_the_plain_layout_from_then_on() -> None:
    paths: list[str] = []

    async def script(call: Call) -> None:
        paths.append(call.path)
        if call.path == "/generate":
            await call.say("Sell.")
        else:
            await call.fail(422, "Template error: template not found", "template_error")

    found = await generate(script, REQUEST, REQUEST)
    assert paths == ["/v1/chat/completions", "/generate", "/generate"]
    assert {(g.text, g.finish_reason, g.prompt_tokens, g.completion_tokens) for g in found} == {("Sell.", "stop", 7, 3)}


GARBAGE: list[tuple[bytes, str]] = [
    (b"", "no chat completion"),
    (b"null", "no chat completion"),
    (b"{", "no chat completion"),
    (b"\xff\xfe", "no chat completion"),
    (b'{"choices": []}', "no choice"),
    (b'{"choices": [{"message": {}}]}', "no choice"),
    (b'{"choices": [{"message": {"content": 5}}]}', "no chat completion"),
    (b" " * (MAX_ANSWER_BYTES + 1), f"{MAX_ANSWER_BYTES}"),
]


@pytest.mark.parametrize(("body", "words"), GARBAGE)
async def test_what_is_no_answer_is_a_bad_response(body: bytes, words: str) -> None:
    with pytest.raises(BadResponse, match=words):
        await generate(lambda call: call.answer(200, body))


@contextlib.asynccontextmanager
async def raw_server(answer: bytes, *, wait: float) -> AsyncIterator[str]:
    """Says `answer` to whoever connects, and hangs up after `wait` seconds."""
    ended: list[asyncio.Future[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(end := asyncio.get_running_loop().create_future())
        await reader.read(64)
        writer.write(answer)
        await asyncio.sleep(wait)
        writer.close()
        end.set_result(None)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*ended)


RAW: list[tuple[bytes, float, type[EngineError]]] = [
    (b"", 0.0, ConnectionLost),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{", 0.0, ConnectionLost),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 0.0, BadResponse),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{", 1.0, EngineTimeout),
    (b"", 1.0, EngineTimeout),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{", 1.0, BadResponse),
]


@pytest.mark.parametrize(("answer", "wait", "expected"), RAW)
async def test_a_broken_conversation_is_one_of_our_errors(
    answer: bytes, wait: float, expected: type[EngineError]
) -> None:
    async with raw_server(answer, wait=wait) as url:
        engine = LoraxEngine(url)
        with pytest.raises(expected):
            await engine.generate(REQUEST, 0.3)
        await engine.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:{port}", Starting),
        ("http://nowhere.invalid:8080", Unreachable),
        ("not a url", BadResponse),
    ],
)
async def test_no_connection_differs_from_a_refused_one(url: str, expected: type[EngineError]) -> None:
    engine = LoraxEngine(url.format(port=free_port()))
    with pytest.raises(EngineError) as raised:
        await engine.health(30)
    await engine.close()
    assert type(raised.value) is expected


def nested(levels: int) -> dict[str, Any]:
    return {"items": nested(levels - 1)} if levels else {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": "\ud800"}, "can't be written as JSON: str is not valid UTF-8"),
        ({"response_format": nested(300)}, "it is nested deeper than 32 levels"),
    ],
)
async def test_what_is_no_json_is_refused_before_it_is_sent(fields: dict[str, Any], words: str) -> None:
    engine = LoraxEngine("http://127.0.0.1:9")
    request = GenerationRequest(request_id="q", system="", prompt="Why?", adapter_id=None, max_new_tokens=1)
    with pytest.raises(InvalidRequest, match=words):
        await engine.generate(replace(request, **fields), 1)


async def test_metrics_that_are_nonsense_are_a_bad_response() -> None:
    lorax = ScriptedLorax(lambda call: call.say("x"))
    lorax.metrics = b"lorax_request_count many\n"
    async with served(lorax) as url:
        engine = LoraxEngine(url)
        with pytest.raises(BadResponse, match="no Prometheus text"):
            await engine.metrics(5)
        await engine.close()


def test_a_chat_body_always_says_how_long_and_whether_to_sample() -> None:
    """LoRAX samples unless temperature is 0, and reserves the whole context unless max_tokens is set."""
    assert chat_body(REQUEST) == {
        "model": "/models/ceo",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "And now?"}],
        "max_tokens": 12,
        "temperature": 0.0,
        "stream": False,
        "adapter_source": "local",
    }


def test_the_base_model_is_asked_without_an_adapter() -> None:
    base = GenerationRequest(request_id="q", system="", prompt="x", adapter_id=None, max_new_tokens=1)
    assert (chat_body(base)["model"], "adapter_source" in chat_body(base)) == ("", False)
    assert "adapter_id" not in plain_body(base)["parameters"]


def test_a_plain_body_is_greedy_unless_a_temperature_is_set() -> None:
    sampled = GenerationRequest(
        request_id="q", system="", prompt="x", adapter_id="/a", max_new_tokens=3, temperature=0.5, top_p=0.9,
        stop=("END",), seed=1,
    )  # fmt: skip
    assert plain_body(REQUEST) == {
        "inputs": "Be brief.\n\nQuestion: And now?\n\nAnswer:",
        "parameters": {
            "adapter_id": "/models/ceo",
            "adapter_source": "local",
            "max_new_tokens": 12,
            "do_sample": False,
            "details": True,
            "return_full_text": False,
        },
    }
    chosen = ("do_sample", "temperature", "top_p", "stop", "seed")
    assert {k: plain_body(sampled)["parameters"][k] for k in chosen} == dict(
        zip(chosen, (True, 0.5, 0.9, ["END"], 1), strict=True)
    )


SAMPLED = GenerationRequest(
    request_id="q", system="", prompt="x", adapter_id=None, max_new_tokens=1, temperature=0.7, top_p=0.5, seed=1
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"temperature": 0.7, "top_p": 0.5, "seed": 1}),
        ({"temperature": 0.0}, {"seed": 1}),
        ({"temperature": 0.0099}, {"seed": 1}),
        ({"temperature": 0.01}, {"temperature": 0.01, "top_p": 0.5, "seed": 1}),
        ({"seed": 0}, {"temperature": 0.7, "top_p": 0.5, "seed": 0}),
        ({"seed": -1}, {"temperature": 0.7, "top_p": 0.5, "seed": 2**64 - 1}),
        ({"seed": -(2**63)}, {"temperature": 0.7, "top_p": 0.5, "seed": 2**63}),
        ({"seed": None}, {"temperature": 0.7, "top_p": 0.5}),
    ],
)
def test_sampling_is_what_lorax_makes_no_other_of(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Near 0 nothing is sampled, which a top_p would bring about, and a seed is one of 64 bits without a sign."""
    request = replace(SAMPLED, **given)
    plain, chat = plain_body(request)["parameters"], chat_body(request)
    assert {name: plain[name] for name in ("temperature", "top_p", "seed") if name in plain} == expected
    assert {name: chat[name] for name in ("temperature", "top_p", "seed") if name in chat} == {
        "temperature": 0.0
    } | expected
    assert plain["do_sample"] is ("temperature" in expected)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("length", "length"),
        ("stop", "stop"),
        ("content_filter", "stop"),
        ("eos_token", "stop"),
        ("stop_sequence", "stop"),
        (None, "stop"),
    ],
)
def test_finish_reasons_are_normalised(said: str | None, meant: str) -> None:
    assert finish_reason(said) == meant


async def test_bodies_are_rebuilt_and_valid_json() -> None:
    bodies: list[bytes] = []

    async def script(call: Call) -> None:
        bodies.append(call.raw)
        await call.say("yes")

    await generate(script)
    assert [orjson.loads(b) for b in bodies] == [chat_body(REQUEST)]
