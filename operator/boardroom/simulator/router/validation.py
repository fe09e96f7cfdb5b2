"""LoRAX's checks of a request, in LoRAX's order and with its messages."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import orjson

from boardroom.simulator.entry import Sampling
from boardroom.simulator.errors import ValidationError
from boardroom.simulator.model_server.answer import question_in
from boardroom.simulator.router.request import Parameters
from boardroom.simulator.settings import Settings
from boardroom.simulator.tokenizer.simple import Tokenizer

_RANGES: Final[Sequence[tuple[str, Callable[[float], bool], str]]] = (
    ("temperature", lambda value: value >= 0.0, "non-negative"),
    ("repetition_penalty", lambda value: value > 0.0, "strictly positive"),
    ("frequency_penalty", lambda value: -2.0 <= value <= 2.0, ">= -2.0 and <= 2.0"),  # noqa: PLR2004 (LoRAX's bounds)
    ("presence_penalty", lambda value: -2.0 <= value <= 2.0, ">= -2.0 and <= 2.0"),  # noqa: PLR2004 (LoRAX's bounds)
    ("top_p", lambda value: 0.0 < value <= 1.0, "> 0.0 and < 1.0"),
    ("typical_p", lambda value: 0.0 < value < 1.0, "> 0.0 and < 1.0"),
    ("top_k", lambda value: value > 0, "strictly positive"),
    ("return_k_alternatives", lambda value: value > 0, "strictly positive"),
    ("max_new_tokens", lambda value: value > 0, "strictly positive"),
)
"""Parameter, the check of its value, and the message, in LoRAX's order."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text for the model."""

    text: str
    question: str | None = None
    """The user's question in the text, if the route knows it."""
    special_tokens: bool = True
    """False if a chat template has added the markup already."""


@dataclass(frozen=True, slots=True)
class ValidRequest:
    """A request that has passed the checks."""

    prompt: str
    question: str
    prompt_tokens: int
    sampling: Sampling


def validate(prompt: Prompt, parameters: Parameters, settings: Settings, tokenizer: Tokenizer) -> ValidRequest:
    """Check a request; raises ValidationError."""
    _check_adapters(parameters)
    _check_best_of(parameters)
    _check_ranges(parameters)
    if len(parameters.stop) > settings.max_stop_sequences:
        _refuse(f"`stop` supports up to {settings.max_stop_sequences} stop sequences. Given: {len(parameters.stop)}")
    if not prompt.text:
        _refuse("`inputs` cannot be empty")
    text, prompt_tokens = _measure(prompt, parameters, settings, tokenizer)
    longest = settings.max_total_tokens - prompt_tokens
    max_new_tokens = parameters.max_new_tokens if parameters.max_new_tokens is not None else longest
    sampled = _samples(parameters)
    return ValidRequest(
        prompt=text,
        question=question_in(text) if prompt.question is None else prompt.question,
        prompt_tokens=prompt_tokens,
        sampling=Sampling(
            max_new_tokens=max_new_tokens,
            stop=tuple(parameters.stop),
            ignore_eos=parameters.ignore_eos_token,
            sampled=sampled,
            seed=(_seed(text) if parameters.seed is None else parameters.seed) if sampled else None,
            temperature=1.0 if parameters.temperature is None else parameters.temperature,
            top_p=1.0 if parameters.top_p is None else parameters.top_p,
            top_k=parameters.top_k or 0,
            typical_p=1.0 if parameters.typical_p is None else parameters.typical_p,
            repetition_penalty=1.0 if parameters.repetition_penalty is None else parameters.repetition_penalty,
            frequency_penalty=parameters.frequency_penalty or 0.0,
            presence_penalty=parameters.presence_penalty or 0.0,
            schema=_schema(parameters),
        ),
    )


def validate_best_of(best_of: int, settings: Settings) -> None:
    """Check `best_of` above 1; raises ValidationError."""
    if settings.max_best_of == 1 and best_of != 1:
        _refuse("`best_of` != 1 is not allowed for this endpoint")
    if best_of > settings.max_best_of:
        _refuse(f"`best_of` must be > 0 and <= {settings.max_best_of}. Given: {best_of}")


def _refuse(what: str) -> NoReturn:
    raise ValidationError(what)


def _check_adapters(parameters: Parameters) -> None:
    merged = parameters.merged_adapters
    if merged is None:
        return
    if parameters.adapter_id is not None:
        _refuse("at most one of `adapter_id` or `adapters` may be provided")
    if not merged.ids:
        _refuse("at least one adapter ID must be provided when setting `adapters`")
    if len(merged.ids) != len(merged.weights):
        _refuse("number of adapter IDs must match number of adapter weights")


def _check_best_of(parameters: Parameters) -> None:
    """The router takes any parameter that is set for sampling; raises ValidationError."""
    choices = (parameters.temperature, parameters.top_k, parameters.top_p, parameters.typical_p)
    sampling = parameters.do_sample or any(choice is not None for choice in choices)
    if (parameters.best_of or 1) > 1 and not sampling:
        _refuse("you must use sampling when `best_of` is > 1")


def _samples(parameters: Parameters) -> bool:
    """Whether the model server samples: if a parameter changes anything, which a temperature or top_p of 1 does not.

    A temperature of 0 does not ask for sampling, but other parameters still may.
    """
    return (
        parameters.do_sample
        or parameters.temperature not in {None, 0.0, 1.0}
        or parameters.top_k is not None
        or (parameters.top_p is not None and parameters.top_p < 1.0)
        or parameters.typical_p is not None
    )


def _check_ranges(parameters: Parameters) -> None:
    for name, allowed, message in _RANGES:
        value = getattr(parameters, name)
        if value is not None and not allowed(value):
            _refuse(f"`{name}` must be {message}")
    if parameters.seed is not None and (parameters.best_of or 1) > 1:
        _refuse("`seed` must not be set when `best_of` > 1")


def _measure(prompt: Prompt, parameters: Parameters, settings: Settings, tokenizer: Tokenizer) -> tuple[str, int]:
    """Return the prompt, truncated from the left if asked for, and its length in tokens; raises ValidationError."""
    truncate = parameters.truncate
    if truncate is not None and not 0 < truncate <= settings.max_input_length:
        _refuse(f"`truncate` must be strictly positive and less than {settings.max_input_length}. Given: {truncate}")
    tokens = tokenizer.encode(prompt.text, special=prompt.special_tokens)
    if truncate is not None and len(tokens) > truncate:
        tokens = tokens[-truncate:]
    count, new = len(tokens), parameters.max_new_tokens
    if new is not None and count + new > settings.max_total_tokens:
        _refuse(
            f"`inputs` tokens + `max_new_tokens` must be <= {settings.max_total_tokens}. "
            f"Given: {count} `inputs` tokens and {new} `max_new_tokens`"
        )
    if count > settings.max_input_length:
        _refuse(f"`inputs` must have less than {settings.max_input_length} tokens. Given: {count}")
    if truncate is None:
        return prompt.text, count
    prefix = tokenizer.encode("", special=True) if prompt.special_tokens else []
    text = "".join(token.text for token in tokens).removeprefix("".join(token.text for token in prefix))
    return text, count


def _schema(parameters: Parameters) -> str | None:
    """Return the schema of a response_format, whatever its type; a null schema is none."""
    wanted = parameters.response_format
    return None if wanted is None or wanted.schema is None else orjson.dumps(wanted.schema).decode()


def _seed(text: str) -> int:
    """Return a seed from the prompt, so that answers can be repeated; LoRAX draws one at random."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1
