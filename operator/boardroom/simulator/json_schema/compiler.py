"""The size of the machine that LoRAX's schema library (outlines 0.1.1) compiles a schema to, or the library's refusal.

The library handles the first of these keywords that a schema has, and ignores the others: properties, allOf, anyOf,
oneOf, prefixItems, enum, const, $ref, type. tests/component/engine/test_schema_subset_outlines.py compares with it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from boardroom.simulator.json_schema.text import SchemaError

_STATES: Final = {"integer": 4, "number": 9, "boolean": 8, "null": 4}
_FORMATS: Final = {"date-time": 36, "date": 16, "time": 20, "uuid": 39}
_STRING: Final = 8
_CHARACTER: Final = 6
"""States for each character of a string with a bounded length: one for each byte that may be pending."""
_KEY: Final = 7
_OBJECT: Final = 242
_ANY: Final = 494
_DICTIONARY: Final = 17
_ARRAY: Final = 6
_MAX_DEPTH: Final = 300

Schema = Mapping[str, Any]


def states(schema: Any, *, lists: bool) -> int:
    """Return the number of states. `lists` says whether this version takes a list of types. Raises SchemaError."""
    try:
        return _Compiler(schema, lists=lists).states(schema, 0)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise SchemaError(str(error)) from error


class _Compiler:
    def __init__(self, root: Any, *, lists: bool) -> None:
        self._root = root
        self._lists = lists
        self._by_keyword: Mapping[str, Callable[[Schema, int], int]] = {
            "properties": self._object,
            "allOf": lambda s, depth: sum(self.states(part, depth) for part in s["allOf"]),
            "anyOf": lambda s, depth: 1 + sum(self.states(part, depth) for part in s["anyOf"]),
            "oneOf": lambda s, depth: 1 + sum(self.states(part, depth) for part in s["oneOf"]),
            "prefixItems": lambda s, depth: _ARRAY + sum(self.states(part, depth) for part in s["prefixItems"]),
            "enum": lambda s, _: 1 + sum(_literal(value, "enum") for value in _check_not_empty(s["enum"])),
            "const": lambda s, _: _literal(s["const"], "const"),
            "$ref": lambda s, depth: self.states(self._referenced(s["$ref"]), depth),
            "type": self._typed,
        }

    def states(self, schema: Any, depth: int) -> int:
        if depth > _MAX_DEPTH:
            raise SchemaError("maximum recursion depth exceeded")
        if schema == {}:
            return _ANY
        for keyword, compiled in self._by_keyword.items():
            if keyword in schema:
                return compiled(schema, depth + 1)
        raise SchemaError(_untranslated(schema))

    def _object(self, schema: Schema, depth: int) -> int:
        names = schema["properties"].items()
        if not any(name in schema.get("required", ()) for name, _ in names):
            for name, _ in names:
                _expression(name)
        return 3 + sum(len(name.encode()) + _KEY + self.states(value, depth) for name, value in names)

    def _typed(self, schema: Schema, depth: int) -> int:
        kind = schema["type"]
        if isinstance(kind, list):
            if not self._lists:
                raise SchemaError("'type' must be a string")
            return sum(self.states({"type": type_}, depth) for type_ in kind if type_ != "object")
        if kind == "string":
            return self._string(schema)
        if kind == "array":
            once = self.states(schema["items"], depth) if "items" in schema else _OBJECT - _ARRAY
            return _ARRAY + once * _times(schema.get("minItems"), schema.get("maxItems"))
        if kind == "object":
            values = schema.get("additionalProperties")
            if values is None or values is True:
                return _OBJECT
            times = _times(schema.get("minProperties"), schema.get("maxProperties"))
            return (_DICTIONARY + self.states(values, depth)) * times
        if kind not in _STATES:
            raise SchemaError(_untranslated(schema))
        return _STATES[kind]

    def _string(self, schema: Schema) -> int:
        if "minLength" in schema or "maxLength" in schema:
            return _STRING + _CHARACTER * int(schema.get("maxLength", schema.get("minLength", 0)))
        if "pattern" in schema:
            return _STRING + _CHARACTER * len(schema["pattern"])
        if "format" in schema and schema["format"] not in _FORMATS:
            raise SchemaError(f"Format {schema['format']} is not supported by Outlines")
        return _FORMATS[schema["format"]] if "format" in schema else _STRING

    def _referenced(self, reference: str) -> Any:
        target = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not reference.startswith("#") or not isinstance(target, dict) or name not in target:
                raise SchemaError(f"PointerToNowhere: {reference!r} does not exist within {self._root}")
            target = target[name]
        return target


def _times(fewest: Any, most: Any) -> int:
    """Return how often the expression repeats an item."""
    if most is None:
        return max(int(fewest or 0), 1)
    if max(int(fewest or 0) - 1, 0) > max(int(most) - 1, 0):
        raise SchemaError(f"Can't multiply an FSM by {int(most) - int(fewest or 0)}")
    return max(int(most), 1)


def _check_not_empty(values: Sequence[Any]) -> Sequence[Any]:
    if not values:
        raise SchemaError("max() arg is an empty sequence")
    return values


def _expression(name: str) -> None:
    """Check that a name is a regular expression: the library puts it in unescaped if no property is required."""
    try:
        re.compile(name)
    except re.error as error:
        raise SchemaError(str(error)) from error


def _literal(value: Any, keyword: str) -> int:
    if isinstance(value, dict | list):
        raise SchemaError(f"Unsupported data type in {keyword}: {type(value)}")
    return len(json.dumps(value))


def _untranslated(schema: Any) -> str:
    return (
        f"Could not translate the instance {schema} to a regular expression. Make sure it is valid to the JSON Schema "
        "specification. If it is, please open an issue on the Outlines repository"
    )
