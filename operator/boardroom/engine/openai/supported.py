"""Supported parameters of a server: a refused parameter is sent in another form or dropped. No I/O.

Each parameter has variants, the best first. A refusal that names the parameter (refusal.py) leads to its next variant,
or, after the last variant, to the caller. A variant is remembered only after a request with it was answered, so that a
misread refusal changes no other request.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from boardroom.engine.chat.body import messages, sampling
from boardroom.engine.openai.refusal import Refusal
from boardroom.engine.protocol import GenerationRequest
from boardroom.engine.schema_limits import bounded


class Variant(msgspec.Struct, frozen=True):
    """The fields of a body that express a parameter; none if the parameter is omitted."""

    fields: Mapping[str, Any] = {}
    lossless: bool = True
    """Whether the variant expresses everything that the best variant expresses."""


OMITTED: Final = Variant(lossless=False)
_ALIASES: Final = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "messages": r"\b(?:system|developer)[ _](?:role|message|prompt|instruction)s?\b|\brole\W{0,3}system\b"
        r"|\bmessages\W{1,3}0\W{1,3}role\b",
        "max_tokens": r"\bmax_(?:completion_)?tokens\b",
        "temperature": r"\btemperature\b",
        "top_p": r"\btop_p\b",
        "stop": r"\bstop(?:_sequences?)?\b",
        "seed": r"\bseed\b",
        "response_format": r"\bresponse[ _]format|\bjson[ _-](?:object|mode)|json_schema|\bstructured[ _-]output|"
        r"\b(?:schema|grammar)\b",
        "stream_options": r"\bstream_options\b|\binclude_usage\b",
    }.items()
}
"""How refusals name each parameter."""
_OUR_OWN: Final = frozenset({"response_format", "stream_options"})
_ONE_SCHEMA: Final = re.compile(r"\b(?:schema|grammar)\b", re.IGNORECASE)
"""A refusal of one schema; a refusal of all schemas would name json_schema."""
_ANY_OBJECT: Final = {"type": "object"}


class Attempt(msgspec.Struct, frozen=True):
    """A form of a request: a variant for each parameter."""

    variants: Mapping[str, tuple[Variant, ...]]
    chosen: Mapping[str, int]
    """The variant's index, by parameter; a parameter that is absent uses its best variant, 0."""
    transient: frozenset[str] = frozenset()
    """Parameters in `chosen` whose variants are not remembered for the next request."""

    @property
    def body(self) -> dict[str, Any]:
        """All fields but the model's name."""
        return {field: value for name in self.variants for field, value in self._variant(name).fields.items()}

    @property
    def dropped(self) -> frozenset[str]:
        """The parameters that are omitted, or sent in a form that says less."""
        return frozenset(name for name in self.chosen if not self._variant(name).lossless)

    def after(self, refusal: Refusal) -> "Attempt | None":
        """Return the next attempt; None if the refusal names no parameter, or one without another variant."""
        sent = {name: _ALIASES[name] for name in self.variants if self._variant(name).fields}
        name = refusal.unsupported_parameter(sent, _OUR_OWN)
        if name is None or self.chosen.get(name, 0) + 1 == len(self.variants[name]):
            return None
        chosen = {**self.chosen, name: self.chosen.get(name, 0) + 1}
        one_schema = name == "response_format" and _ONE_SCHEMA.search(refusal.text) is not None
        return Attempt(self.variants, chosen, self.transient | {name} if one_schema else self.transient)

    def _variant(self, name: str) -> Variant:
        return self.variants[name][self.chosen.get(name, 0)]


class SupportedParameters:
    """The variants that a server's model is known to accept, learned from its answers."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def attempt(self, request: GenerationRequest, *, streams: bool) -> Attempt:
        """Return the best form of this request that the model is not known to refuse."""
        variants = _variants(request, streams=streams)
        known = {name: min(way, len(variants[name]) - 1) for name, way in self._known.items() if name in variants}
        return Attempt(variants, {name: way for name, way in known.items() if way})

    def learn(self, attempt: Attempt) -> list[str]:
        """Remember the variants of an attempt that was answered; return the parameters that are new."""
        new = [
            name
            for name, way in attempt.chosen.items()
            if name not in attempt.transient and way > self._known.get(name, 0)
        ]
        self._known |= {name: attempt.chosen[name] for name in new}
        return new


def _variants(request: GenerationRequest, *, streams: bool) -> dict[str, tuple[Variant, ...]]:
    chat = messages(request)
    variants: dict[str, tuple[Variant, ...]] = {
        "messages": (Variant({"messages": chat}), *_system_in_user_message(chat)),
        "max_tokens": (
            Variant({"max_tokens": request.max_new_tokens}),
            Variant({"max_completion_tokens": request.max_new_tokens}),
        ),
    }
    optional = {"temperature": request.temperature, **sampling(request)}
    variants |= {name: (Variant({name: value}), OMITTED) for name, value in optional.items()}
    if request.response_format is not None:
        variants["response_format"] = _formats(request.response_format)
    if streams:
        variants["stream_options"] = (Variant({"stream_options": {"include_usage": True}}), OMITTED)
    return variants


def _formats(schema: Mapping[str, Any]) -> tuple[Variant, ...]:
    by_schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": bounded(schema)}}
    return (
        Variant({"response_format": by_schema}),
        Variant({"response_format": {"type": "json_object"}}, lossless=schema == _ANY_OBJECT),
        OMITTED,
    )


def _system_in_user_message(chat: list[dict[str, str]]) -> tuple[Variant, ...]:
    """Return the messages with the system prompt, if there is one, at the head of the user's first message."""
    if chat[0]["role"] != "system":
        return ()
    system, first, *rest = chat
    return (Variant({"messages": [first | {"content": f"{system['content']}\n\n{first['content']}"}, *rest]}),)
