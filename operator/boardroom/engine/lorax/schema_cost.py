"""Estimates what a JSON schema costs LoRAX, which compiles it inside prefill while everything waits. Pure.

LoRAX's library (outlines) makes a regular expression of the schema, and of that a finite-state machine that it walks
with each token of the vocabulary (docs/lorax.md#schema-compilation). The time grows with the machine's states and with
the expression's length. The expression has the schema of an array's items and of a dictionary's values twice, and each
optional property of an object without a required one as often as there are properties. Both estimates are upper bounds;
tests/component/engine/test_schema_subset_outlines.py compares them with the library.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import orjson

_ESCAPED: Final = 2
"""Characters of the expression for one character of a literal, at most."""


class SchemaCost(NamedTuple):
    """States of the machine and characters of the expression."""

    states: int
    characters: int

    def plus(self, other: Self) -> "SchemaCost":
        return SchemaCost(self.states + other.states, self.characters + other.characters)


MAX_COST: Final = SchemaCost(states=512, characters=8_000)
"""About twice the cost of `{"type": "object"}`: seconds."""

_TYPES: Final = {
    "string": SchemaCost(8, 37),
    "integer": SchemaCost(6, 19),
    "number": SchemaCost(14, 49),
    "boolean": SchemaCost(9, 12),
    "null": SchemaCost(5, 4),
    "object": SchemaCost(245, 6_520),
}
"""`object` is one without properties."""
_FORMATS: Final = {
    "date-time": SchemaCost(42, 140),
    "date": SchemaCost(16, 60),
    "uuid": SchemaCost(42, 70),
}
_KEY: Final = SchemaCost(9, 24)
"""Quotes, colon, comma and blanks around a property's name and value."""
_ARRAY: Final = SchemaCost(6, 30)
_DICTIONARY: Final = SchemaCost(18, 130)


def schema_cost(schema: Mapping[str, Any]) -> SchemaCost:
    """Return the cost of a schema of the subset."""
    match schema:
        case {"properties": properties}:
            cost = _object(properties, schema.get("required", ()))
        case {"anyOf": options}:
            cost = _sum([schema_cost(option) for option in options], SchemaCost(2, 2 + len(options)))
        case {"enum": values}:
            cost = _sum([_literal(value) for value in values], SchemaCost(2, 2 + len(values)))
        case {"const": value}:
            cost = _literal(value)
        case {"items": items}:
            cost = _repeated(schema_cost(items), _ARRAY)
        case {"additionalProperties": values}:
            cost = _repeated(schema_cost(values), _DICTIONARY)
        case {"format": name}:
            cost = _FORMATS[name]
        case _:
            cost = _TYPES[schema["type"]]
    return cost


def _object(properties: Mapping[str, Any], required: Sequence[str]) -> SchemaCost:
    each = [_literal(name).plus(_KEY).plus(schema_cost(value)) for name, value in properties.items()]
    whole = _sum(each, SchemaCost(4, 16))
    # Without a required property the expression lists all of them for each that may be the last.
    return whole if required else SchemaCost(whole.states, whole.characters * max(len(properties), 1))


def _repeated(once: SchemaCost, around: SchemaCost) -> SchemaCost:
    """The cost of a repeated item: the expression contains the item twice, and the state machine loops to one copy."""
    return SchemaCost(once.states + around.states, 2 * once.characters + around.characters)


def _literal(value: Any) -> SchemaCost:
    text = orjson.dumps(value)
    # Outside ASCII the library writes \\uXXXX, or the character itself, which has several bytes.
    length = sum(1 if character.isascii() else 12 for character in text.decode())
    return SchemaCost(length, _ESCAPED * length)


def _sum(costs: list[SchemaCost], start: SchemaCost) -> SchemaCost:
    for cost in costs:
        start = start.plus(cost)
    return start
