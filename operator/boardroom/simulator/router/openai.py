"""The OpenAI routes with LoRAX's deviations (docs/lorax.md#openai-deviations).

The id is "null", a chat's object is text_completion, a stop sequence's finish reason is content_filter, and in streams
the model is "null" and `created` is 0.
"""

import time
from typing import Any, Final

import msgspec
import orjson

from boardroom.simulator.entry import Entry
from boardroom.simulator.errors import TemplateError, ToolError
from boardroom.simulator.router.bodies import read_body
from boardroom.simulator.router.chat_template import Message, render
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.router.exchange import JSON, Exchange
from boardroom.simulator.router.generation import Call, details, generate, text_of
from boardroom.simulator.router.request import I32, FormatType, Parameters, ResponseFormat, Unsigned, fit
from boardroom.simulator.router.sse import DONE, send_stream
from boardroom.simulator.router.validation import Prompt
from boardroom.simulator.settings import Settings

_FINISH: Final = {"length": "length", "eos_token": "stop", "stop_sequence": "content_filter"}
_FINGERPRINT: Final = "0.1.0-native"


class _Common(msgspec.Struct, kw_only=True):
    model: str
    max_tokens: I32 | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: I32 | None = None
    n: I32 | None = None
    stop: list[str] = []
    stream: bool | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: Unsigned | None = None
    ignore_eos_token: bool | None = None
    adapter_source: str | None = None
    api_token: str | None = None

    def __post_init__(self) -> None:
        fit(self.seed)


class JsonSchema(msgspec.Struct):
    """`json_schema` of a chat's response_format."""

    name: str
    schema: Any = None
    description: str | None = None
    strict: bool | None = None


class ChatResponseFormat(msgspec.Struct):
    """`response_format` of a chat, where the type matters; `schema` is LoRAX's older place of a schema."""

    type: FormatType
    json_schema: JsonSchema | None = None
    schema: Any = None


class CompletionRequest(_Common, kw_only=True):
    """POST /v1/completions."""

    prompt: str
    best_of: I32 | None = None
    echo: bool | None = None
    logprobs: I32 | None = None


class ChatRequest(_Common, kw_only=True):
    """POST /v1/chat/completions."""

    messages: list[Message]
    response_format: ChatResponseFormat | None = None
    tools: list[dict[str, Any]] | None = None
    guideline: str | None = None


async def completions(engine: Engine, exchange: Exchange) -> None:
    """POST /v1/completions."""
    request = await read_body(exchange, CompletionRequest)
    parameters = _parameters(engine.settings, request)
    parameters = msgspec.structs.replace(
        parameters,
        best_of=_usize(request.best_of),
        temperature=request.temperature,
        do_sample=request.n is not None,
        return_full_text=request.echo,
        decoder_input_details=request.logprobs is not None,
    )
    call = Call(Prompt(request.prompt), parameters)
    if request.stream:
        await send_stream(engine, exchange, call, _completion_event, end=DONE)
        return
    outcome = await generate(engine, exchange, call)
    usage, finish = _usage_and_finish(outcome.best)
    choice = {"index": 0, "text": text_of(outcome.best, call), "logprobs": None, "finish_reason": finish}
    response = _envelope("text_completion", [choice], created=0, model="null") | {"usage": usage}
    await exchange.respond(200, orjson.dumps(response), JSON, outcome.headers)


async def chat_completions(engine: Engine, exchange: Exchange) -> None:
    """POST /v1/chat/completions."""
    request = await read_body(exchange, ChatRequest)
    if request.response_format is not None and request.tools is not None and _format(request) is not None:
        raise ToolError("Response format and tools are mutually exclusive")
    if request.tools:
        raise ToolError("the simulator does not call tools")
    try:
        call = chat_call(request, engine.settings)
    except TemplateError:
        engine.metrics.failed("template")
        raise
    if request.stream:
        await send_stream(engine, exchange, call, _chat_event, end=DONE)
        return
    outcome = await generate(engine, exchange, call)
    usage, finish = _usage_and_finish(outcome.best)
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text_of(entry, call)},
            "finish_reason": finish,
        }
        for index, entry in enumerate((outcome.best, *outcome.others))
    ]
    response = _envelope("text_completion", choices, created=int(time.time()), model=engine.settings.model_id)
    response |= {"usage": usage, "system_fingerprint": _FINGERPRINT}
    await exchange.respond(200, orjson.dumps(response), JSON, outcome.headers)


def chat_call(request: ChatRequest, settings: Settings) -> Call:
    """Return the call of a chat request; raises TemplateError."""
    greedy = request.temperature == 0.0
    parameters = msgspec.structs.replace(
        _parameters(settings, request),
        best_of=_usize(request.n),
        response_format=_format(request),
        temperature=None if greedy else request.temperature,
        do_sample=not greedy,
    )
    return Call(render(request.messages, settings.chat_template), parameters)


def _parameters(settings: Settings, request: _Common) -> Parameters:
    """Return the parameters of both routes. The base model's id means no adapter, and so does an empty one."""
    return Parameters(
        adapter_id=None if request.model in {"", settings.model_id} else request.model,
        adapter_source=request.adapter_source,
        api_token=request.api_token,
        repetition_penalty=request.repetition_penalty,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
        top_k=request.top_k,
        top_p=request.top_p,
        max_new_tokens=None if request.max_tokens is None else request.max_tokens % 2**32,
        ignore_eos_token=bool(request.ignore_eos_token),
        stop=request.stop,
        details=True,
        seed=request.seed,
    )


def _format(request: ChatRequest) -> ResponseFormat | None:
    """Return the format in native parameters; without a schema it is that of any object."""
    wanted = request.response_format
    if wanted is None or wanted.type in {"Text", "text"}:
        return None
    if wanted.type in {"JsonObject", "json_object"}:
        schema = wanted.schema
    else:
        schema = wanted.json_schema.schema if wanted.json_schema is not None else None
    return ResponseFormat(wanted.type) if schema is None else ResponseFormat(wanted.type, schema)


def _usize(count: int | None) -> int | None:
    """Cast a count as Rust does: a negative one becomes huge."""
    return None if count is None else count % 2**64


def _chat_event(entry: Entry, index: int, *, last: bool) -> dict[str, Any]:
    usage, finish = _usage_and_finish(entry) if last else (None, None)
    delta = {} if finish == "stop" else {"role": "assistant", "content": _token(entry, index)}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    event = _envelope("chat.completion.chunk", [choice], created=0, model="null")
    return event | {"usage": usage} if usage else event


def _completion_event(entry: Entry, index: int, *, last: bool) -> dict[str, Any]:
    nothing = {"prompt_tokens": 0, "total_tokens": 0, "completion_tokens": 0}
    usage, finish = _usage_and_finish(entry) if last else (nothing, None)
    text = "" if finish == "stop" else _token(entry, index)
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return _envelope("text_completion", [choice], created=0, model="null") | {"usage": usage}


def _envelope(kind: str, choices: list[dict[str, Any]], *, created: int, model: str) -> dict[str, Any]:
    return {"id": "null", "object": kind, "created": created, "model": model, "choices": choices}


def _usage_and_finish(entry: Entry) -> tuple[dict[str, int], str]:
    counts = details(entry)
    prompt, generated = counts["prompt_tokens"], counts["generated_tokens"]
    usage = {"prompt_tokens": prompt, "total_tokens": prompt + generated, "completion_tokens": generated}
    return usage, _FINISH[counts["finish_reason"]]


def _token(entry: Entry, index: int) -> str:
    return entry.answer.tokens[index].text if entry.answer is not None else ""
