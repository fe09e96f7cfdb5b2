"""What servers with OpenAI's chat route answer: refusals in their own shapes, and answers with odd details."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from boardroom.engine.errors import EngineError
from boardroom.engine.openai.driver import StandardEngine
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from component.coordinator.standing_board import served
from component.engine.scripted_lorax import Call, ScriptedLorax

REQUEST = GenerationRequest(
    request_id="q.ceo",
    system="You are the CEO.",
    prompt="And now?",
    adapter_id=None,
    max_new_tokens=32,
    temperature=0.5,
    top_p=0.9,
    stop=("END",),
    seed=7,
    response_format={"type": "object", "properties": {"vote": {"type": "string"}}},
)
USAGE = {"prompt_tokens": 7, "completion_tokens": 3}
Takes = Callable[[dict[str, Any]], bool]


@contextlib.asynccontextmanager
async def server(answer: Callable[[Call], Any]) -> AsyncIterator[tuple[StandardEngine, list[Call]]]:
    scripted = ScriptedLorax(answer)
    async with served(scripted) as url:
        engine = StandardEngine(f"{url}/v1", "gpt-board")
        yield engine, scripted.calls
        await engine.close()


async def ask(engine: StandardEngine, *, streams: bool) -> Generation:
    if not streams:
        return await engine.generate(REQUEST, 10)
    *_, last = [piece async for piece in engine.stream(REQUEST, StreamTimeouts(whole=10))]
    assert isinstance(last, Generation)
    return last


def sse(*events: object) -> bytes:
    return b"".join(b"data: " + (e if isinstance(e, bytes) else orjson.dumps(e)) + b"\n\n" for e in events)


def openai(message: str, **more: object) -> bytes:
    return orjson.dumps({"error": {"message": message, "type": "invalid_request_error", "param": None} | more})


def fastapi(*loc: str, msg: str = "Extra inputs are not permitted") -> bytes:
    return orjson.dumps({"detail": [{"type": "extra_forbidden", "loc": ["body", *loc], "msg": msg, "input": 7}]})


def without(name: str) -> Takes:
    return lambda body: name not in body


def form(*kinds: str | None) -> Takes:
    return lambda body: (body.get("response_format") or {}).get("type") in kinds


def no_system(body: dict[str, Any]) -> bool:
    return all(message["role"] != "system" for message in body["messages"])


UNRECOGNIZED = "Unrecognized request argument supplied: "
TYPE_NOT_TAKEN = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."
NOT_TAKEN = {
    "OpenAI: max_tokens to a model that reasons": (
        400,
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
            "instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        without("max_tokens"),
        (),
    ),
    "OpenAI: temperature to a model that reasons": (
        400,
        openai(
            "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is "
            "supported.",
            param="temperature",
            code="unsupported_value",
        ),
        without("temperature"),
        ("temperature",),
    ),
    "OpenAI: system prompt to o1-mini": (
        400,
        openai(
            "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
            param="messages[0].role",
            code="unsupported_value",
        ),
        no_system,
        (),
    ),
    "Gemma's template: no system role": (400, openai("System role not supported"), no_system, ()),
    "Google: no system role for Gemma": (
        400,
        orjson.dumps([{"error": {"code": 400, "message": "Developer instruction is not enabled for models/gemma-3"}}]),
        no_system,
        (),
    ),
    "OpenAI: seed, with param null": (400, openai(UNRECOGNIZED + "seed"), without("seed"), ("seed",)),
    "FastAPI: seed": (422, fastapi("seed"), without("seed"), ("seed",)),
    "FastAPI with pydantic 1: seed": (
        422,
        fastapi("seed", msg="extra fields not permitted"),
        without("seed"),
        ("seed",),
    ),
    "Mistral: seed, FastAPI's shape inside of another": (
        422,
        orjson.dumps({"object": "error", "message": orjson.Fragment(fastapi("seed")), "code": None}),
        without("seed"),
        ("seed",),
    ),
    "Google: seed, in a list": (
        400,
        orjson.dumps([{"error": {"code": 400, "message": 'Invalid JSON payload. Unknown name "seed": Cannot find'}}]),
        without("seed"),
        ("seed",),
    ),
    "Groq: seed": (400, openai("property 'seed' is unsupported"), without("seed"), ("seed",)),
    "vLLM of old: top_p, without error": (
        400,
        orjson.dumps({"object": "error", "message": "top_p is not supported", "type": "BadRequestError", "code": 400}),
        without("top_p"),
        ("top_p",),
    ),
    "serde: seed, with every field that it knows": (
        422,
        b"Failed to deserialize the JSON body: unknown field `seed`, expected one of `model`, `temperature`, `stop`",
        without("seed"),
        ("seed",),
    ),
    "an error that is a text: stop": (
        400,
        orjson.dumps({"error": "the parameter stop is not supported"}),
        without("stop"),
        ("stop",),
    ),
    "Claude: temperature and top_p": (
        400,
        openai("`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
        without("top_p"),
        ("top_p",),
    ),
    "llama.cpp: what it has not, with 501": (501, openai("seed is not supported"), without("seed"), ("seed",)),
    "OpenAI: json_schema": (
        400,
        openai(TYPE_NOT_TAKEN, param="response_format"),
        form("json_object", "text", None),
        ("response_format",),
    ),
    "LM Studio: json_object, not json_schema": (
        400,
        orjson.dumps({"error": "'response_format.type' must be 'json_object' or 'text'"}),
        form("json_object", None),
        ("response_format",),
    ),
    "DeepSeek: neither form": (
        400,
        openai("This response_format type is unavailable now"),
        form(None),
        ("response_format",),
    ),
    "Groq: response format, in words": (
        400,
        openai("This model does not support response format `json_schema`."),
        form("json_object", None),
        ("response_format",),
    ),
    "FastAPI: the type of response_format": (
        422,
        fastapi("response_format", "type", msg="Input should be 'text' or 'json_object'"),
        form("json_object", None),
        ("response_format",),
    ),
    "OpenAI: json_object asks for the word": (
        400,
        openai("'messages' must contain the word 'json' to use 'response_format' of type 'json_object'."),
        form(None),
        ("response_format",),
    ),
    "vLLM: a schema beyond xgrammar": (
        400,
        openai("The provided JSON schema contains features not supported by xgrammar."),
        form("json_object", None),
        ("response_format",),
    ),
}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("status", "refusal", "takes", "dropped"), NOT_TAKEN.values(), ids=NOT_TAKEN)
async def test_what_a_server_does_not_take_is_left_out_and_said(
    status: int, refusal: bytes, takes: Takes, dropped: tuple[str, ...], streams: bool
) -> None:
    async def answer(call: Call) -> None:
        if not takes(call.body):
            await call.answer(status, refusal)
        elif streams:
            text = {"choices": [{"delta": {"content": "we grow"}, "finish_reason": "stop"}], "usage": USAGE}
            await call.answer(200, sse(text, b"[DONE]"), "text/event-stream")
        else:
            await call.say("we grow")

    async with server(answer) as (engine, calls):
        found = await ask(engine, streams=streams)
    asked = [set(call.body) for call in calls]
    assert (found.text, found.dropped_params) == ("we grow", dropped)
    assert asked[0] - asked[-1] <= {*dropped, "max_tokens"}, "nothing else was left out"


STREAM_OPTIONS = {
    "OpenAI of old": (400, openai(UNRECOGNIZED + "stream_options")),
    "FastAPI": (422, fastapi("stream_options")),
    "FastAPI, of what stands in it": (422, fastapi("stream_options", "include_usage")),
    "in plain text": (400, b"stream_options is not allowed"),
}


@pytest.mark.parametrize("counts", [False, True], ids=["usage unknown", "usage unasked"])
@pytest.mark.parametrize(("status", "refusal"), STREAM_OPTIONS.values(), ids=STREAM_OPTIONS)
async def test_a_stream_without_stream_options_is_a_stream(status: int, refusal: bytes, counts: bool) -> None:
    text = {"choices": [{"delta": {"content": "we grow"}, "finish_reason": "stop"}]} | (
        {"usage": USAGE} if counts else {}
    )

    async def answer(call: Call) -> None:
        if "stream_options" in call.body:
            await call.answer(status, refusal)
        else:
            await call.answer(200, sse(text, b"[DONE]"), "text/event-stream")

    async with server(answer) as (engine, calls):
        found = [await ask(engine, streams=True) for _ in range(2)]
    assert {(one.text, one.dropped_params) for one in found} == {("we grow", () if counts else ("stream_options",))}
    assert len(calls) == 3


FAULTS = {
    "a wrong url": (404, b"404 page not found", "misconfigured", "spec.standardInference.url"),
    "Azure: no such deployment": (
        404,
        orjson.dumps({"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}),
        "misconfigured",
        "spec.standardInference.url",
    ),
    "a page where nothing is posted": (405, b"Method Not Allowed", "misconfigured", "spec.standardInference.url"),
    "a redirect to https": (301, b"", "misconfigured", "spec.standardInference.url"),
    "a model that has retired": (410, openai("gone"), "misconfigured", "spec.standardInference.url and model"),
    "Mistral: the model's name": (
        400,
        orjson.dumps({"object": "error", "message": "Invalid model: gpt", "type": "invalid_model", "code": "1500"}),
        "misconfigured",
        "model",
    ),
    "DeepSeek: the model's name": (400, openai("Model Not Exist"), "misconfigured", "model"),
    "OpenRouter: the model's name": (400, openai("gpt is not a valid model ID"), "misconfigured", "model"),
    "DeepSeek: no credit": (402, openai("Insufficient Balance"), "misconfigured", "apiKeySecretRef"),
    "OpenAI: no credit, as 429": (
        429,
        openai("You exceeded your current quota", code="insufficient_quota"),
        "misconfigured",
        "apiKeySecretRef",
    ),
    "too many requests": (429, openai("Rate limit reached", code="rate_limit_exceeded"), "overloaded", ""),
    "OpenAI: the key": (401, openai("Incorrect API key provided: sk-***"), "refused", "apiKeySecretRef"),
    "Google: the key, as 400": (
        400,
        orjson.dumps([{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}]),
        "refused",
        "apiKeySecretRef",
    ),
    "Google: the key has expired": (400, openai("API key expired. Please renew it."), "refused", "apiKeySecretRef"),
    "xAI: the key, as 400": (
        400,
        orjson.dumps({"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***"}),
        "refused",
        "apiKeySecretRef",
    ),
    "OpenAI: too long": (
        400,
        openai("This model's maximum context length is 4096 tokens. Please reduce the messages."),
        "invalid_request",
        "",
    ),
    "OpenAI: more tokens than the model has": (
        400,
        openai("max_tokens is too large: 16384. This model supports at most 4096 tokens", param="max_tokens"),
        "invalid_request",
        "",
    ),
    "FastAPI: a temperature that is too high": (
        422,
        fastapi("temperature", msg="Input should be less than or equal to 1"),
        "invalid_request",
        "",
    ),
    "a body over the server's limit": (413, b"Payload Too Large", "invalid_request", ""),
    "a filter that refuses the question": (
        400,
        openai("The prompt triggered content management policy.", code="content_filter"),
        "invalid_request",
        "",
    ),
    "a server that waited too long for a worker": (408, b"", "generation", ""),
    "Anthropic: overloaded": (529, openai("Overloaded", type="overloaded_error"), "overloaded", ""),
    "OpenRouter: no credit, inside of 200": (200, openai("More credits are required", code=402), "misconfigured", ""),
    "a provider that failed, inside of 200": (
        200,
        openai("The provider returned an error", code=502),
        "generation",
        "",
    ),
}


@pytest.mark.parametrize(("status", "refusal", "code", "remedy"), FAULTS.values(), ids=FAULTS)
async def test_whose_fault_a_refusal_is(status: int, refusal: bytes, code: str, remedy: str) -> None:
    async with server(lambda call: call.answer(status, refusal)) as (engine, calls):
        with pytest.raises(EngineError) as found:
            await engine.generate(REQUEST, 10)
    assert (found.value.code, len(calls)) == (code, 1)
    assert remedy in str(found.value)


def whole(**more: object) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "we grow"}, "finish_reason": "stop"}
    return {"choices": [choice | more], "usage": USAGE}


ANSWERS = {
    "usage null": (whole() | {"usage": None}, (0, 0)),
    "usage no object": (whole() | {"usage": "none"}, (0, 0)),
    "prompt_tokens null": (whole() | {"usage": {"prompt_tokens": None, "completion_tokens": 3}}, (0, 3)),
    "tokens as floats": (whole() | {"usage": {"prompt_tokens": 7.0, "completion_tokens": 3.0}}, (7, 3)),
    "negative tokens": (whole() | {"usage": {"prompt_tokens": -1, "completion_tokens": "3"}}, (0, 0)),
    "no finish reason": (whole(finish_reason=None), (7, 3)),
    "Mistral: a text in parts, after thoughts": (
        whole(message={"content": [{"type": "thinking", "thinking": [{}]}, {"type": "text", "text": "we grow"}]}),
        (7, 3),
    ),
}


@pytest.mark.parametrize(("body", "counted"), ANSWERS.values(), ids=ANSWERS)
async def test_a_detail_beside_an_answer_costs_no_answer(body: dict[str, Any], counted: tuple[int, int]) -> None:
    async with server(lambda call: call.answer(200, orjson.dumps(body))) as (engine, _):
        found = await ask(engine, streams=False)
    assert (found.text, found.finish_reason, (found.prompt_tokens, found.completion_tokens)) == (
        "we grow",
        "stop",
        counted,
    )


WE = {"choices": [{"delta": {"content": "we "}}]}
GROW = {"choices": [{"delta": {"content": "grow"}, "finish_reason": "stop"}]}
STREAMS = {
    "a last chunk with choices null": sse(WE, GROW, {"choices": None, "usage": USAGE}, b"[DONE]"),
    "a last delta null": sse(WE, GROW, {"choices": [{"delta": None}], "usage": USAGE}, b"[DONE]"),
    "a first chunk without choices": sse({"object": "chat.completion.chunk"}, WE, GROW, {"usage": USAGE}, b"[DONE]"),
    "usage null until the end": sse(WE | {"usage": None}, GROW | {"usage": USAGE}, b"[DONE]"),
    "usage with nulls after the whole": sse(WE, GROW | {"usage": USAGE}, {"choices": [], "usage": None}, b"[DONE]"),
    "empty events": sse(b"", WE, b"null", b"{}", GROW | {"usage": USAGE}, b"[DONE]"),
    "no finish reason": sse(WE, {"choices": [{"delta": {"content": "grow"}}], "usage": USAGE}, b"[DONE]"),
    "error null": sse(WE | {"error": None}, GROW | {"usage": USAGE, "error": None}, b"[DONE]"),
    "pieces in parts": sse(WE, {"choices": [{"delta": {"content": [{"text": "grow"}]}}], "usage": USAGE}, b"[DONE]"),
}


@pytest.mark.parametrize("body", STREAMS.values(), ids=STREAMS)
async def test_an_event_beside_a_text_costs_no_answer(body: bytes) -> None:
    async with server(lambda call: call.answer(200, body, "text/event-stream")) as (engine, _):
        found = await ask(engine, streams=True)
    assert (found.text, found.prompt_tokens, found.completion_tokens) == ("we grow", 7, 3)


async def test_an_event_that_is_none_is_said_of_the_server_that_sent_it() -> None:
    async with server(lambda call: call.answer(200, sse(b"nonsense"), "text/event-stream")) as (engine, _):
        with pytest.raises(EngineError, match=r"^standard inference's stream has an event that is none of its own"):
            await ask(engine, streams=True)


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/chat/completions/"])
async def test_a_url_may_end_in_the_route(end: str) -> None:
    async with served(ScriptedLorax(lambda call: call.say("we grow"))) as url:
        engine = StandardEngine(f"{url}/v1{end}", "gpt-board")
        found = await ask(engine, streams=False)
        await engine.close()
    assert (found.text, engine.url) == ("we grow", f"{url}/v1")
