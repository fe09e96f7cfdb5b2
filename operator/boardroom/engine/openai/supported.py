"""Which parameters a server takes: what it refuses is said another way or left out, and remembered. Pure.

Each parameter has ways in which it can be said, the best first. A refusal that names it (refusal.py) leads to the next
way, or to the caller where there is none. What was learnt is remembered once an answer has come without it, so that a
refusal that was misread changes no other request.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from boardroom.engine.chat import messages, sampling
from boardroom.engine.protocol import GenerationRequest
from boardroom.engine.refusal import Refusal
from boardroom.engine.schema_limits import bounded


class Way(msgspec.Struct, frozen=True):
    """The fields of a body that say a parameter, none where it is left out."""

    fields: Mapping[str, Any] = {}
    whole: bool = True
    """Whether it says as much as the best way."""


LEFT_OUT: Final = Way(whole=False)
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
"""What each is called in a refusal."""
_OURS: Final = frozenset({"response_format", "stream_options"})
_ONE_SCHEMA: Final = re.compile(r"\b(?:schema|grammar)\b", re.IGNORECASE)
"""What is said of one schema, where json_schema would be said of all."""
_ANY_OBJECT: Final = {"type": "object"}


class Attempt(msgspec.Struct, frozen=True):
    """One way to say a request."""

    ways: Mapping[str, tuple[Way, ...]]
    chosen: Mapping[str, int]
    """In which way each parameter is said that is not said in the best one."""
    passing: frozenset[str] = frozenset()
    """Those of them that say nothing of the next request."""

    @property
    def body(self) -> dict[str, Any]:
        """All fields but the model's name."""
        return {field: value for name in self.ways for field, value in self._way(name).fields.items()}

    @property
    def dropped(self) -> frozenset[str]:
        """What the server is not told, or not all of it."""
        return frozenset(name for name in self.chosen if not self._way(name).whole)

    def after(self, refusal: Refusal) -> "Attempt | None":
        """What to try next; None where the refusal is of no parameter, or of one that can be said in no other way."""
        sent = {name: _ALIASES[name] for name in self.ways if self._way(name).fields}
        name = refusal.names(sent, _OURS)
        if name is None or self.chosen.get(name, 0) + 1 == len(self.ways[name]):
            return None
        chosen = {**self.chosen, name: self.chosen.get(name, 0) + 1}
        one_schema = name == "response_format" and _ONE_SCHEMA.search(refusal.text) is not None
        return Attempt(self.ways, chosen, self.passing | {name} if one_schema else self.passing)

    def _way(self, name: str) -> Way:
        return self.ways[name][self.chosen.get(name, 0)]


class SupportedParameters:
    """What has been learnt of one server's model."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def attempt(self, request: GenerationRequest, *, streams: bool) -> Attempt:
        """The best way to say this request, as far as known."""
        ways = _ways(request, streams=streams)
        known = {name: min(way, len(ways[name]) - 1) for name, way in self._known.items() if name in ways}
        return Attempt(ways, {name: way for name, way in known.items() if way})

    def learn(self, attempt: Attempt) -> list[str]:
        """The server has answered it: remember how it was said. Returns the parameters that are new to us."""
        new = [
            name
            for name, way in attempt.chosen.items()
            if name not in attempt.passing and way > self._known.get(name, 0)
        ]
        self._known |= {name: attempt.chosen[name] for name in new}
        return new


def _ways(request: GenerationRequest, *, streams: bool) -> dict[str, tuple[Way, ...]]:
    said = messages(request)
    ways: dict[str, tuple[Way, ...]] = {
        "messages": (Way({"messages": said}), *_folded(said)),
        "max_tokens": (
            Way({"max_tokens": request.max_new_tokens}),
            Way({"max_completion_tokens": request.max_new_tokens}),
        ),
    }
    optional = {"temperature": request.temperature, **sampling(request)}
    ways |= {name: (Way({name: value}), LEFT_OUT) for name, value in optional.items()}
    if request.response_format is not None:
        ways["response_format"] = _formats(request.response_format)
    if streams:
        ways["stream_options"] = (Way({"stream_options": {"include_usage": True}}), LEFT_OUT)
    return ways


def _formats(schema: Mapping[str, Any]) -> tuple[Way, ...]:
    by_schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": bounded(schema)}}
    return (
        Way({"response_format": by_schema}),
        Way({"response_format": {"type": "json_object"}}, whole=schema == _ANY_OBJECT),
        LEFT_OUT,
    )


def _folded(said: list[dict[str, str]]) -> tuple[Way, ...]:
    """The same with the system prompt, where there is one, at the head of the user's first message."""
    if said[0]["role"] != "system":
        return ()
    system, first, *rest = said
    return (Way({"messages": [first | {"content": f"{system['content']}\n\n{first['content']}"}, *rest]}),)
