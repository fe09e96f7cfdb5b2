"""LoRAX's own routes: /generate, /generate_stream, and both in one at /."""

from typing import Any

import orjson

from boardroom.simulator.entry import Entry
from boardroom.simulator.router.bodies import read_body
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.router.exchange import JSON, Exchange
from boardroom.simulator.router.generation import Call, Outcome, details, generate, text_of
from boardroom.simulator.router.request import CompatGenerateRequest, GenerateRequest
from boardroom.simulator.router.sse import send_stream
from boardroom.simulator.router.tokens import prefill_objects, token_object
from boardroom.simulator.router.validation import Prompt
from boardroom.simulator.tokenizer.simple import Token


async def generate_whole(engine: Engine, exchange: Exchange) -> None:
    """POST /generate."""
    request = await read_body(exchange, GenerateRequest)
    await _answer_whole(engine, exchange, _call(request), in_list=False)


async def generate_stream(engine: Engine, exchange: Exchange) -> None:
    """POST /generate_stream."""
    request = await read_body(exchange, GenerateRequest)
    await _answer_stream(engine, exchange, _call(request))


async def generate_either(engine: Engine, exchange: Exchange) -> None:
    """POST / and /invocations."""
    request = await read_body(exchange, CompatGenerateRequest)
    if request.stream:
        await _answer_stream(engine, exchange, _call(request))
    else:
        await _answer_whole(engine, exchange, _call(request), in_list=True)


def _call(request: GenerateRequest) -> Call:
    return Call(Prompt(request.inputs), request.parameters)


async def _answer_whole(engine: Engine, exchange: Exchange, call: Call, *, in_list: bool) -> None:
    outcome = await generate(engine, exchange, call)
    response: dict[str, Any] = {"generated_text": text_of(outcome.best, call)}
    if call.parameters.details or call.parameters.decoder_input_details:
        response["details"] = _details(engine, outcome, call)
    await exchange.respond(200, orjson.dumps([response] if in_list else response), JSON, outcome.headers)


async def _answer_stream(engine: Engine, exchange: Exchange, call: Call) -> None:
    def event(entry: Entry, index: int, *, last: bool) -> dict[str, Any]:
        return {
            "token": token_object(_tokens(entry), index),
            "generated_text": text_of(entry, call) if last else None,
            "details": _seeded(details(entry), entry) if last and call.parameters.details else None,
        }

    await send_stream(engine, exchange, call, event, end=b"")


def _details(engine: Engine, outcome: Outcome, call: Call) -> dict[str, Any]:
    best = outcome.best
    whole = details(best) | {"skipped_tokens": 0}
    whole = _seeded(whole, best) | _token_details(engine, best, call)
    if outcome.others:
        whole["best_of_sequences"] = [
            {"generated_text": text_of(other, call)} | _sequence(other) | _token_details(engine, other, call)
            for other in outcome.others
        ]
    return whole


def _sequence(entry: Entry) -> dict[str, Any]:
    counts = _seeded(details(entry), entry)
    del counts["prompt_tokens"]
    return counts


def _seeded(counts: dict[str, Any], entry: Entry) -> dict[str, Any]:
    return counts | {"seed": entry.sampling.seed}


def _token_details(engine: Engine, entry: Entry, call: Call) -> dict[str, Any]:
    tokens = _tokens(entry)
    wanted = call.parameters.decoder_input_details
    prompt = engine.tokenizer.encode(entry.prompt, special=call.prompt.special_tokens) if wanted else []
    return {
        "prefill": prefill_objects(prompt),
        "tokens": [token_object(tokens, index) for index in range(len(tokens))],
    }


def _tokens(entry: Entry) -> tuple[Token, ...]:
    return entry.answer.tokens if entry.answer is not None else ()
