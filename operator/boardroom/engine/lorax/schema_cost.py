"""What a JSON schema costs a LoRAX: it compiles each one inside prefill, and everything stands still meanwhile.

LoRAX's library (outlines) makes a regular expression of the schema, and of that a machine that it walks with each token
of the vocabulary. The time goes with the states of the machine, and with the length of the expression, in which the
schema of an array's items and of a dictionary's values stands twice, and each optional property of an object without a
required one as often as there are properties. Both are estimated from above;
tests/component/engine/test_schema_subset_outlines.py holds the estimate against the library. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import orjson

_ESCAPED: Final = 2
"""Characters of the expression for one of a literal, at most."""


class SchemaCost(NamedTuple):
    """States of the machine, and characters of the expression."""

    states: int
    characters: int

    def plus(self, other: Self) -> "SchemaCost":
        return SchemaCost(self.states + other.states, self.characters + other.characters)


MAX_COST: Final = SchemaCost(states=512, characters=8_000)
"""About what `{"type": "object"}` costs, twice: seconds."""

_TYPES: Final = {
    "string": SchemaCost(8, 37),
    "integer": SchemaCost(6, 19),
    "number": SchemaCost(14, 49),
    "boolean": SchemaCost(9, 12),
    "null": SchemaCost(5, 4),
    "object": SchemaCost(245, 6_520),
}
"""An object here is one without properties."""
_FORMATS: Final = {
    "date-time": SchemaCost(42, 140),
    "date": SchemaCost(16, 60),
    "uuid": SchemaCost(42, 70),
}
_KEY: Final = SchemaCost(9, 24)
"""What stands around a property's name and value: quotes, colon, comma, blanks."""
_ARRAY: Final = SchemaCost(6, 30)
_DICTIONARY: Final = SchemaCost(18, 130)


def schema_cost(schema: Mapping[str, Any]) -> SchemaCost:
    """Of a schema of the subset."""
    match schema:
        case {"properties": properties}:
            found = _object(properties, schema.get("required", ()))
        case {"anyOf": options}:
            found = _sum([schema_cost(option) for option in options], SchemaCost(2, 2 + len(options)))
        case {"enum": values}:
            found = _sum([_literal(value) for value in values], SchemaCost(2, 2 + len(values)))
        case {"const": value}:
            found = _literal(value)
        case {"items": items}:
            found = _repeated(schema_cost(items), _ARRAY)
        case {"additionalProperties": values}:
            found = _repeated(schema_cost(values), _DICTIONARY)
        case {"format": name}:
            found = _FORMATS[name]
        case _:
            found = _TYPES[schema["type"]]
    return found


def _object(properties: Mapping[str, Any], required: Sequence[str]) -> SchemaCost:
    each = [_literal(name).plus(_KEY).plus(schema_cost(value)) for name, value in properties.items()]
    whole = _sum(each, SchemaCost(4, 16))
    # without a required one the expression has all of them once for each that may be the last
    return whole if required else SchemaCost(whole.states, whole.characters * max(len(properties), 1))


def _repeated(once: SchemaCost, around: SchemaCost) -> SchemaCost:
    """The first and those that follow it: the expression has it twice, and the machine comes back to it."""
    return SchemaCost(once.states + around.states, 2 * once.characters + around.characters)


def _literal(value: Any) -> SchemaCost:
    text = orjson.dumps(value)
    # outside ASCII the library writes \\uXXXX, or the character of several bytes itself
    length = sum(1 if character.isascii() else 12 for character in text.decode())
    return SchemaCost(length, _ESCAPED * length)


def _sum(costs: list[SchemaCost], start: SchemaCost) -> SchemaCost:
    for one in costs:
        start = start.plus(one)
    return start
