"""YAML and JSON as kubectl reads them: libyaml's grammar, Go's words for true and null, JSON's numbers.

Words and numbers follow go.yaml.in/yaml v2, on which sigs.k8s.io/yaml is built.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import yaml

MAX_VALUES: Final = 1_000_000
"""Most values of a document. Each use of an alias counts: a few lines of aliases can expand to billions."""

MAX_DEPTH: Final = 100
"""Deepest nesting of values."""
_LONG: Final = 25
"""Digits from which an integer exceeds 64 bits, so that JSON readers take it as a float."""
_WORDS: Final[dict[str, Any]] = (
    dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True)
    | dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False)
    | dict.fromkeys(("", "~", "null", "Null", "NULL"), None)
    | dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
    | dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf)
    | dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf)
)
_BASES: Final = {"0b": 2, "0o": 8, "0x": 16}
_INTEGER: Final = re.compile(r"([-+]?)(0[bB][01]+|0[oO][0-7]+|0[xX][0-9a-fA-F]+|[0-9]+)")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class YamlError(ValueError):
    """The text is neither YAML nor JSON. The message names line and column."""


def documents(text: str) -> list[Any]:
    """The documents of a YAML stream, or of a file with JSON objects. An empty document is None. Raises YamlError."""
    try:
        if text.lstrip().startswith("{"):
            with suppress(json.JSONDecodeError):  # `{a: b}` is YAML
                return list(_json_documents(text))
        return list(_yaml_documents(text))
    except yaml.MarkedYAMLError as error:
        raise YamlError(
            f"{_place(error.problem_mark or error.context_mark)}{error.problem or error.context}"
        ) from error
    except yaml.YAMLError as error:
        raise YamlError(str(error)) from error
    except RecursionError as error:
        raise YamlError("values are nested too deeply") from error


def _json_documents(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(
        object_pairs_hook=_json_object,
        parse_int=lambda digits: int(digits) if len(digits) < _LONG else float(digits),
        parse_float=lambda digits: _number(float(digits)),
        parse_constant=_no_constant,
    )
    end = len(text.rstrip())
    at = len(text) - len(text.lstrip())
    while at < end:
        value, at = decoder.raw_decode(text, at)
        yield value
        at += len(text[at:]) - len(text[at:].lstrip())


def _json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise YamlError(f"the key {key!r} is duplicated in one object: leave one out")
        members[key] = value
    return members


def _no_constant(word: str) -> Any:
    raise YamlError(f"{word} is not JSON")


def _yaml_documents(text: str) -> Iterator[Any]:
    events = _events(text)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            yield _Document(events).value()


def _events(text: str) -> Iterator[yaml.Event]:
    parser = yaml.CBaseLoader(text.removeprefix("\ufeff"))
    try:
        while (event := parser.get_event()) is not None:
            yield event
    finally:
        parser.dispose()


class _Document:
    """Builds one document's value from its events. PyYAML's own composer has no limits on size and depth."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: list[str | None] = []
        self._count = 0

    def value(self) -> Any:
        return self._of(next(self._events))

    def _of(self, event: Any) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._count
        self._counted(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        else:
            self._open.append(event.anchor)
            if len(self._open) > MAX_DEPTH:
                raise _error(event, "values are nested too deeply")
            value = self._mapping() if isinstance(event, yaml.MappingStartEvent) else self._sequence()
            self._open.pop()
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._count - before)
        return value

    def _alias(self, event: yaml.AliasEvent) -> Any:
        if event.anchor in self._open:
            raise _error(event, f"the alias *{event.anchor} is inside the value that it names")
        if event.anchor not in self._anchors:
            raise _error(event, f"the alias *{event.anchor} has no anchor &{event.anchor} before it")
        value, size = self._anchors[event.anchor]
        self._counted(event, size)
        return value

    def _counted(self, event: yaml.Event, size: int) -> None:
        self._count += size
        if self._count > MAX_VALUES:
            raise _error(event, "the document has too many values: are aliases nested in aliases?")

    def _sequence(self) -> list[Any]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._of(event))
        return items

    def _mapping(self) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if _is_merge(event):
                merged |= self._merged()
                continue
            key = _key(event, self._of(event))
            if key in own:
                raise _error(event, f"the key {key!r} is duplicated in one mapping: leave one out")
            own[key] = self.value()
        return merged | own

    def _merged(self) -> dict[str, Any]:
        """The value of `<<`. The first of several mappings that has a key provides it."""
        event = next(self._events)
        value = self._of(event)
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise _error(event, "<< takes a mapping, or a list of mappings")
        return {key: item for part in reversed(parts) for key, item in part.items()}


def _is_merge(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.tag is None and event.implicit[0]


def _key(event: yaml.Event, value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        raise _error(event, "a key must be a text")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _scalar(event: yaml.ScalarEvent) -> Any:
    tag, text = event.tag, event.value
    if tag is None or tag == "!":
        return _finite(event, _plain(text)) if event.implicit[0] else text
    kind = tag.removeprefix("tag:yaml.org,2002:")
    if kind == "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _error(event, "!!binary takes base64 of a text") from error
    if kind not in ("bool", "int", "float", "null"):
        return text
    value = _plain(text)
    names = {bool: "bool", int: "int", float: "float", type(None): "null"}
    actual = names.get(type(value), "str")
    if actual != kind and (kind, actual) != ("float", "int"):
        raise _error(event, f"{text!r} is not !!{kind}")
    return _finite(event, value)


def _finite(event: yaml.ScalarEvent, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise _error(event, f"{event.value[:40]} is not a JSON number")
    return _number(value)


def _plain(text: str) -> Any:
    """The value of a scalar without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    digits = text.replace("_", "") if text[:1] in "+-0123456789" else text
    integer = _integer(digits)
    if integer is not None:
        return integer
    return float(digits) if _FLOAT.fullmatch(digits) else text


def _integer(digits: str) -> int | None:
    """A 64-bit integer. A leading zero means octal, as in Go. None: a float or a string."""
    match = _INTEGER.fullmatch(digits)
    if match is None:
        return None
    sign, number = match[1], match[2]
    base = _BASES.get(number[:2].lower(), 8 if number[0] == "0" else 10)
    try:
        value = int(number[2:] if number[:2].lower() in _BASES else number, base)
    except ValueError:  # 08
        return None
    signed = -value if sign == "-" else value
    return signed if -(2**63) <= signed < (2**63 if sign else 2**64) else None


def _number(value: float) -> int | float:
    """A float as it reads after a round trip through JSON: a whole number becomes an integer."""
    return int(value) if value.is_integer() and abs(value) < 1e21 else value  # noqa: PLR2004 (Go writes an exponent from there on)


def _error(event: yaml.Event, problem: str) -> YamlError:
    return YamlError(f"{_place(event.start_mark)}{problem}")


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
