"""The driver for standard inference, against a server that says what a test says and against the simulator's own."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import msgspec
import orjson
import pytest

from boardroom.cli.processes import free_port
from boardroom.engine.errors import (
    BadResponse,
    EngineError,
    EngineTimeout,
    GenerationFailed,
    InvalidRequest,
    Misconfigured,
    Overloaded,
    Unauthorized,
    Unhealthy,
    Unreachable,
)
from boardroom.engine.openai.driver import StandardEngine
from boardroom.engine.protocol import Generation, GenerationRequest, PastTurn, StreamTimeouts
from boardroom.engine.transport import ChunkedReply, Reply
from component.coordinator.standing_board import served, simulated_lorax
from component.engine.scripted_lorax import Call, Script, ScriptedLorax

SCHEMA = {"type": "object"}
REQUEST = GenerationRequest(
    request_id="q.ceo",
    system="You are the CEO.",
    prompt="And now?",
    adapter_id="/models/ceo_lora_adapter",
    max_new_tokens=32,
    temperature=0.5,
    top_p=0.9,
    stop=("END",),
    seed=7,
    history=(PastTurn("Before?", "Yes."),),
    response_format=SCHEMA,
)
EVENTS = [
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"content": "we "}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"content": "grow"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
]
USAGE = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}


@contextlib.asynccontextmanager
async def standard(script: Script, key: str = "") -> AsyncIterator[tuple[StandardEngine, ScriptedLorax]]:
    server = ScriptedLorax(script)
    async with served(server) as url:
        engine = StandardEngine(f"{url}/v1", "gpt-board", key)
        try:
            yield engine, server
        finally:
            await engine.close()


def events(*found: object) -> bytes:
    return b"".join(b"data: " + (e if isinstance(e, bytes) else orjson.dumps(e)) + b"\n\n" for e in found)


async def stream(script_events: bytes) -> list[str | Generation]:
    async def script(call: Call) -> None:
        await call.answer(200, script_events, "text/event-stream")

    async with standard(script) as (engine, _):
        return [piece async for piece in engine.stream(REQUEST, StreamTimeouts(whole=10))]


async def test_a_request_says_the_servers_model_and_nothing_of_the_adapter() -> None:
    async with standard(lambda call: call.say("we grow"), key="sk-1") as (engine, server):
        answer = await engine.generate(REQUEST, 10)
    [call] = server.calls
    assert (call.path, call.headers["authorization"], answer.text) == ("/v1/chat/completions", "Bearer sk-1", "we grow")
    assert call.body == {
        "model": "gpt-board",
        "messages": [
            {"role": "system", "content": "You are the CEO."},
            {"role": "user", "content": "Before?"},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "And now?"},
        ],
        "max_tokens": 32,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 7,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
    }


def refusal(field: str, code: str) -> bytes:
    """As OpenAI's models that reason word it."""
    return orjson.dumps({"error": {"message": f"not with this model: '{field}'", "param": field, "code": code}})


@pytest.mark.parametrize("streams", [False, True])
async def test_an_unsupported_parameter_is_learned_once_and_reported(streams: bool) -> None:
    async def reasons(call: Call) -> None:
        if "max_tokens" in call.body:
            await call.answer(400, refusal("max_tokens", "unsupported_parameter"))
        elif "temperature" in call.body:
            await call.answer(400, refusal("temperature", "unsupported_value"))
        elif streams:
            await call.answer(200, events(*EVENTS, USAGE, b"[DONE]"), "text/event-stream")
        else:
            await call.say("we grow")

    async def ask(engine: StandardEngine, request: GenerationRequest) -> Generation:
        if not streams:
            return await engine.generate(request, 10)
        *_, last = [piece async for piece in engine.stream(request, StreamTimeouts(whole=10))]
        assert isinstance(last, Generation)
        return last

    async with standard(reasons) as (engine, server):
        both = await asyncio.gather(ask(engine, REQUEST), ask(engine, REQUEST))
        learning = len(server.calls)
        later = await ask(engine, REQUEST)
    assert {(answer.text, answer.dropped_params) for answer in (*both, later)} == {("we grow", ("temperature",))}
    assert len(server.calls) == learning + 1
    assert (server.calls[-1].body["max_completion_tokens"], server.calls[-1].body["stop"]) == (32, ["END"])


@pytest.mark.parametrize("field", ["messages", "logit_bias"])
async def test_what_can_not_be_left_out_or_was_not_sent_is_refused(field: str) -> None:
    body = refusal(field, "unsupported_parameter")
    async with standard(lambda call: call.answer(400, body)) as (engine, server):
        with pytest.raises(InvalidRequest, match="not with this model"):
            await engine.generate(REQUEST, 10)
    assert len(server.calls) == 1


async def test_a_refusal_that_was_misread_changes_no_other_request() -> None:
    async def moody(call: Call) -> None:
        if "moody" in call.body["messages"][-1]["content"]:
            await call.answer(400, orjson.dumps({"error": {"message": "the seed of this text is not supported"}}))
        else:
            await call.say("we grow")

    async with standard(moody) as (engine, server):
        with pytest.raises(InvalidRequest):
            await engine.generate(msgspec.structs.replace(REQUEST, prompt="moody"), 10)
        answer = await engine.generate(REQUEST, 10)
    assert (answer.dropped_params, server.calls[-1].body["seed"], len(server.calls)) == ((), 7, 3)


async def test_a_schema_that_is_refused_says_nothing_of_the_next() -> None:
    async def picky(call: Call) -> None:
        if "not" in call.body["response_format"].get("json_schema", {}).get("schema", {}):
            await call.answer(400, orjson.dumps({"error": {"message": "the schema's keyword `not` is not supported"}}))
        else:
            await call.say("{}")

    hard = msgspec.structs.replace(REQUEST, response_format={"not": {}})
    async with standard(picky) as (engine, server):
        found = [(await engine.generate(request, 10)).dropped_params for request in (hard, REQUEST, hard)]
    assert found == [("response_format",), (), ("response_format",)]
    forms = [call.body["response_format"]["type"] for call in server.calls]
    assert forms == ["json_schema", "json_object", "json_schema", "json_schema", "json_object"]


async def test_any_object_is_what_json_object_says_too() -> None:
    body = refusal("response_format", "unsupported_value")

    async def plain(call: Call) -> None:
        await (call.answer(400, body) if "json_schema" in call.body["response_format"] else call.say("{}"))

    async with standard(plain) as (engine, _):
        answer = await engine.generate(REQUEST, 10)
    assert answer.dropped_params == ()


class SlowlyRefusing:
    """A server, as the driver sees it, that takes a while to refuse each field."""

    url = "http://standard/v1"

    def __init__(self) -> None:
        self.allowed: list[float] = []
        self.on_hangup: Callable[[], None] = lambda: None

    async def request(self, *_: object, timeout: float, **__: object) -> Reply:
        self.allowed.append(timeout)
        await asyncio.sleep(timeout / 2)
        field = ("seed", "top_p", "stop", "temperature", "messages")[len(self.allowed) - 1]
        return Reply(400, {}, refusal(field, "unsupported_parameter"))

    def stream(self, *_: object, **__: object) -> AbstractAsyncContextManager[ChunkedReply]:
        raise NotImplementedError

    async def close(self) -> None:
        pass


async def test_asking_again_ends_with_the_time_that_was_given() -> None:
    server = SlowlyRefusing()
    with pytest.raises(InvalidRequest):
        await StandardEngine(server.url, "m", transport=server).generate(REQUEST, 0.4)
    assert server.allowed[0] <= 0.4
    assert all(later <= before / 2 for before, later in itertools.pairwise(server.allowed))


async def test_without_time_left_nothing_is_sent() -> None:
    server = SlowlyRefusing()
    with pytest.raises(EngineTimeout):
        await StandardEngine(server.url, "m", transport=server).generate(REQUEST, 0)
    assert server.allowed == []


async def test_without_a_key_no_credentials_are_sent() -> None:
    async with standard(lambda call: call.say("yes")) as (engine, server):
        await engine.generate(REQUEST, 10)
    assert "authorization" not in server.calls[0].headers


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Unauthorized),
        (403, Unauthorized),
        (404, Misconfigured),
        (400, InvalidRequest),
        (429, Overloaded),
        (500, GenerationFailed),
        (503, Unhealthy),
    ],
)
async def test_a_refusal_is_classified_by_status_with_the_servers_text(
    status: int, expected: type[EngineError]
) -> None:
    body = orjson.dumps({"error": {"message": "no such thing", "type": "x", "code": "y"}})
    async with standard(lambda call: call.answer(status, body)) as (engine, _):
        with pytest.raises(expected, match=f"standard inference: no such thing .HTTP {status}"):
            await engine.generate(REQUEST, 10)


async def test_a_key_that_the_server_repeats_is_masked() -> None:
    body = orjson.dumps({"error": {"message": "Incorrect API key provided: sk-sesame."}})
    async with standard(lambda call: call.answer(401, body), key="sk-sesame") as (engine, _):
        with pytest.raises(Unauthorized, match=r"Incorrect API key provided: …\. \(HTTP 401\)"):
            await engine.generate(REQUEST, 10)


async def test_a_server_that_is_not_there_is_unreachable_and_named() -> None:
    engine = StandardEngine(f"http://127.0.0.1:{free_port()}/v1", "m")
    with pytest.raises(Unreachable, match="standard inference refuses connections"):
        await engine.generate(REQUEST, 5)
    await engine.close()


async def test_a_stream_ends_with_the_usage_that_comes_after_its_text() -> None:
    *texts, whole = await stream(events(*EVENTS, USAGE, b"[DONE]"))
    assert "".join(map(str, texts)) == "we grow"
    assert whole == Generation(text="we grow", finish_reason="length", prompt_tokens=9, completion_tokens=2)


async def test_a_stream_without_usage_and_done_is_an_answer_too() -> None:
    *_, whole = await stream(events(*EVENTS))
    assert isinstance(whole, Generation)
    assert (whole.text, whole.completion_tokens) == ("we grow", 0)


@pytest.mark.parametrize(
    ("stop", "told"),
    [((), "content_filter"), (("END",), "stop")],
    ids=["what a filter has cut is said so", "of a stop text LoRAX, which has no filter, says the same"],
)
async def test_a_filter_that_cut_an_answer(stop: tuple[str, ...], told: str) -> None:
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}]}
    message = {"role": "assistant", "content": "we grow"}
    whole = orjson.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "content_filter"}]})

    async def cut(call: Call) -> None:
        if call.body.get("stream"):
            await call.answer(200, events(*EVENTS[:3], end, b"[DONE]"), "text/event-stream")
        else:
            await call.answer(200, whole)

    request = msgspec.structs.replace(REQUEST, stop=stop)
    async with standard(cut) as (engine, _):
        answer = await engine.generate(request, 10)
        *_, streamed = [piece async for piece in engine.stream(request, StreamTimeouts(whole=10))]
    assert isinstance(streamed, Generation)
    assert (answer.finish_reason, streamed.finish_reason) == (told, told)


async def test_a_server_that_is_silent_before_and_within_its_answer_has_the_whole_time() -> None:
    async def think(call: Call) -> None:
        await asyncio.sleep(0.3)
        await call.begin(200, "text/event-stream")
        for event in EVENTS:
            await call.chunk(events(event))
            await asyncio.sleep(0.1)
        await call.chunk(events(b"[DONE]"), last=True)

    impatient = StreamTimeouts(whole=10, first_byte=0.05, between_bytes=0.05)
    async with standard(think) as (engine, _):
        *texts, whole = [piece async for piece in engine.stream(REQUEST, impatient)]
    assert isinstance(whole, Generation)
    assert "".join(map(str, texts)) == whole.text == "we grow"


async def test_an_error_with_status_200_has_the_servers_text() -> None:
    body = orjson.dumps({"error": {"message": "the provider is out of credits", "code": 502}})
    async with standard(lambda call: call.answer(200, body)) as (engine, _):
        with pytest.raises(GenerationFailed, match="standard inference: the provider is out of credits"):
            await engine.generate(REQUEST, 10)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (events(*EVENTS[:2]), BadResponse, "ended before its answer did"),
        (events(*EVENTS[:2], {"error": {"message": "the GPU fell over"}}), GenerationFailed, "the GPU fell over"),
        (events(b"nonsense"), BadResponse, "none of its own"),
    ],
)
async def test_a_broken_stream_is_an_error(body: bytes, error: type[EngineError], words: str) -> None:
    with pytest.raises(error, match=words):
        await stream(body)


async def test_a_lorax_can_be_the_standard_inference_of_another_board() -> None:
    async with simulated_lorax() as (url, _):
        engine = StandardEngine(f"{url}/v1", "")
        request = GenerationRequest(request_id="r", system="", prompt="Why?", adapter_id="x", max_new_tokens=8)
        whole = await engine.generate(request, 20)
        *texts, streamed = [piece async for piece in engine.stream(request, StreamTimeouts(whole=20))]
        await engine.close()
    assert isinstance(streamed, Generation)
    assert "".join(map(str, texts)) == streamed.text == whole.text
