"""Shared code of the generating routes: submitting, waiting, headers and metrics. Each route formats the outcome."""

import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from boardroom.simulator.entry import BASE_MODEL, Entry
from boardroom.simulator.errors import (
    GenerationError,
    IncompleteGenerationError,
    LoraxError,
    OverloadedError,
    ValidationError,
)
from boardroom.simulator.model_server.shard import CUDA_ERROR
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.router.exchange import Dropped, Exchange, Headers, Waiter
from boardroom.simulator.router.metrics import REQUEST_COUNT, REQUEST_SUCCESS
from boardroom.simulator.router.request import Parameters
from boardroom.simulator.router.tokens import generated_text, logprob
from boardroom.simulator.router.validation import Prompt, validate, validate_best_of

KEEP_ALIVE_SECONDS: Final = 15.0

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ERRORS: Final[Mapping[str, tuple[str, Callable[[str | None], LoraxError]]]] = {
    "generation": ("generation", lambda message: GenerationError(message or CUDA_ERROR)),
    "overloaded": ("overloaded", lambda _: OverloadedError()),
    "validation": ("validation", lambda message: ValidationError(message or "`inputs` cannot be empty")),
    "incomplete": ("incomplete", lambda _: IncompleteGenerationError()),
}
"""The errors of a fault: the metric's label, and the constructor from the fault's message."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request for text, of any route."""

    prompt: Prompt
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Outcome:
    """The generated texts, the best first, and the response's headers."""

    best: Entry
    others: tuple[Entry, ...]
    headers: Headers


async def generate(engine: Engine, exchange: Exchange, call: Call) -> Outcome:
    """Run a request to its end; raises LoraxError, and ClientGone if the client disconnects."""
    started = engine.clock.now()
    engine.metrics.count(REQUEST_COUNT)
    call = _with_token(call, exchange)
    waiter = Waiter(exchange)
    entries: list[Entry] = []
    try:
        await _apply_faults(engine, call)
        for parameters in _sequences(engine, call):
            entry = _submit(engine, exchange, replace(call, parameters=parameters), waiter)
            entries.append(entry)
        while not all(entry.done for entry in entries):
            await waiter.wait()
    finally:
        waiter.close()
        for entry in entries:
            engine.release(entry)
    failure = next((entry.error for entry in entries if entry.error is not None), None)
    if failure is not None:
        raise failure
    if engine.faults.trigger("drop", (adapter_of(call.parameters),)):
        raise Dropped
    best, *others = sorted(entries, key=_mean_logprob, reverse=True)
    return Outcome(best, tuple(others), tuple(_outcome_headers(engine, call, best, _account(engine, best, started))))


async def stream(engine: Engine, exchange: Exchange, call: Call) -> AsyncGenerator[tuple[Entry, int] | None, None]:
    """Yield the entry and the number of its new tokens, or None when a keep-alive is due.

    Raises LoraxError, also for a request that is refused at once: the response has begun by then.
    """
    started = engine.clock.now()
    engine.metrics.count(REQUEST_COUNT)
    call = _with_token(call, exchange)
    _check_streamable(engine, call.parameters)
    waiter = Waiter(exchange)
    entry: Entry | None = None
    try:
        await _apply_faults(engine, call)
        entry = _submit(engine, exchange, call, waiter, wants_tokens=True)
        sent = 0
        while not entry.done or sent < entry.emitted:
            if not await waiter.wait(KEEP_ALIVE_SECONDS):
                yield None
            elif entry.emitted > sent:
                new, sent = entry.emitted - sent, entry.emitted
                if entry.done and entry.error is None:
                    _account(engine, entry, started)
                yield entry, new
        if entry.error is not None:
            raise entry.error
    finally:
        waiter.close()
        if entry is not None:
            engine.release(entry)


@dataclass(frozen=True, slots=True)
class Times:
    """The times of a request in seconds, as the headers divide them."""

    total: float
    validation: float
    queue: float
    inference: float
    per_token: float
    to_first_token: float
    per_output_token: float


def call_headers(engine: Engine, call: Call) -> Headers:
    """Yield the headers that don't depend on the outcome; raises RouterAborted for an invalid value."""
    yield b"x-model-id", _header_value(engine.settings.model_id)
    adapter_id = adapter_of(call.parameters)
    if adapter_id:
        source = call.parameters.adapter_source or engine.settings.adapter_source
        if _CONTROL.search(adapter_id + source):
            engine.panic("called `Result::unwrap()` on an `Err` value: InvalidHeaderValue")
        yield b"x-adapter-id", _header_value(adapter_id)
        yield b"x-adapter-source", _header_value(source)


def adapter_of(parameters: Parameters) -> str:
    """Return the adapter's id as the headers have it; "" for the base model, also by LoRAX's own name for it."""
    merged = parameters.merged_adapters
    ids = [parameters.adapter_id or ""] if merged is None else merged.ids
    return ",".join(adapter_id for adapter_id in ids if adapter_id != BASE_MODEL)


def details(entry: Entry) -> dict[str, Any]:
    """Return the first fields of every `details`: finish_reason and token counts."""
    if entry.answer is None:
        raise IncompleteGenerationError
    return {
        "finish_reason": entry.answer.finish_reason,
        "prompt_tokens": entry.prompt_tokens,
        "generated_tokens": len(entry.answer.tokens),
    }


def text_of(entry: Entry, call: Call) -> str:
    """Return the generated text, after the prompt if return_full_text is set."""
    if entry.answer is None:
        raise IncompleteGenerationError
    text = generated_text(entry.answer.tokens)
    return call.prompt.text + text if call.parameters.return_full_text else text


async def _apply_faults(engine: Engine, call: Call) -> None:
    """Apply the faults of a new request; raises LoraxError."""
    adapter_ids = (adapter_of(call.parameters),)
    late = engine.faults.trigger("latency", adapter_ids)
    if late is not None:
        await engine.clock.sleep(late.pause)
    for name, (label, error) in _ERRORS.items():
        fault = engine.faults.trigger("error", adapter_ids, error=name)
        if fault is not None:
            engine.metrics.failed(label)
            raise error(fault.message)


def _with_token(call: Call, exchange: Exchange) -> Call:
    """Return the call with the bearer token as api_token, if the body has none."""
    authorization = exchange.header(b"authorization") or ""
    if call.parameters.api_token is not None or not authorization.startswith("Bearer "):
        return call
    token = authorization.removeprefix("Bearer ")
    return replace(call, parameters=msgspec.structs.replace(call.parameters, api_token=token))


def _sequences(engine: Engine, call: Call) -> Iterator[Parameters]:
    """Yield the parameters of each sequence: one, or `best_of` that differ by their seed. Raises ValidationError.

    LoRAX validates each sequence, and counts a failure for each.
    """
    best_of = call.parameters.best_of
    if best_of is None or best_of <= 1:
        yield call.parameters
        return
    validate_best_of(best_of, engine.settings)
    try:
        validate(call.prompt, call.parameters, engine.settings, engine.tokenizer)
    except ValidationError:
        for _ in range(best_of):
            engine.metrics.failed("validation")
        raise
    for seed in range(best_of):
        yield msgspec.structs.replace(call.parameters, best_of=None, seed=seed)


def _check_streamable(engine: Engine, parameters: Parameters) -> None:
    if parameters.best_of not in {None, 1}:
        engine.metrics.failed("validation")
        raise ValidationError("`best_of` != 1 is not supported when streaming tokens")
    if parameters.decoder_input_details:
        engine.metrics.failed("validation")
        raise ValidationError("`decoder_input_details` == true is not supported when streaming tokens")


def _submit(engine: Engine, exchange: Exchange, call: Call, waiter: Waiter, *, wants_tokens: bool = False) -> Entry:
    return engine.submit(
        call.prompt,
        call.parameters,
        on_change=waiter.notify,
        wants_tokens=wants_tokens,
        request_id=exchange.header(b"x-request-id"),
    )


def _mean_logprob(entry: Entry) -> float:
    tokens = entry.answer.tokens if entry.answer is not None else ()
    return sum(logprob(tokens, index) for index in range(len(tokens))) / max(len(tokens), 1)


def _account(engine: Engine, entry: Entry, started: float) -> Times:
    """Record a finished request in the metrics; return its times."""
    if entry.answer is None or entry.started_at is None or entry.first_token_at is None:
        raise IncompleteGenerationError
    now, generated = engine.clock.now(), len(entry.answer.tokens)
    inference, to_first_token = now - entry.started_at, entry.first_token_at - entry.started_at
    times = Times(
        total=now - started,
        validation=entry.queued_at - started,
        queue=entry.started_at - entry.queued_at,
        inference=inference,
        per_token=inference / generated,
        to_first_token=to_first_token,
        per_output_token=(inference - to_first_token) / max(generated - 1, 1),
    )
    metrics = engine.metrics
    metrics.count(REQUEST_SUCCESS)
    metrics.observe("lorax_request_duration", times.total)
    metrics.observe("lorax_request_validation_duration", times.validation)
    metrics.observe("lorax_request_queue_duration", times.queue)
    metrics.observe("lorax_request_inference_duration", times.inference)
    metrics.observe("lorax_request_mean_time_per_token_duration", times.per_token)
    metrics.observe("lorax_request_generated_tokens", generated)
    return times


def _outcome_headers(engine: Engine, call: Call, entry: Entry, times: Times) -> Headers:
    """Yield the headers of a whole answer; times are in milliseconds."""
    generated = len(entry.answer.tokens) if entry.answer is not None else 0
    yield b"x-compute-type", b"gpu+optimized"
    numbers = (
        (b"x-compute-time", times.total * 1000),
        (b"x-compute-characters", len(call.prompt.text)),
        (b"x-total-time", times.total * 1000),
        (b"x-prompt-tokens", entry.prompt_tokens),
        (b"x-generated-tokens", generated),
        (b"x-skipped-tokens", 0),
        (b"x-total-tokens", entry.prompt_tokens + generated),
        (b"x-validation-time", times.validation * 1000),
        (b"x-queue-time", times.queue * 1000),
        (b"x-inference-time", times.inference * 1000),
        (b"x-time-per-token", times.per_token * 1000),
        (b"x-time-to-first-token", times.to_first_token * 1000),
        (b"x-time-per-output-token", times.per_output_token * 1000),
    )
    for name, value in numbers:
        yield name, str(int(value)).encode()
    yield from call_headers(engine, call)


def _header_value(text: str) -> bytes:
    """Return a header value in UTF-8, with ? in place of control characters, which would break the header."""
    return _CONTROL.sub("?", text).encode("utf-8", "replace")
