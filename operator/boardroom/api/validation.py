"""Validation of an object as an API server with our CRDs does it: unknown fields, defaults, schema and CEL rules.

Unknown fields are errors, as with `kubectl apply`. Null counts as absent.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

from boardroom.api.cel import compiled
from boardroom.api.cel_functions import EvaluationError, matches

Schema = Mapping[str, Any]

_SHOWN: Final = 80
"""Most characters of a value in a message."""
_INT64: Final = range(-(2**63), 2**63)
_TYPES: Final[Mapping[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}
_IN_WORDS: Final = {"integer": "a whole number", "string": "a text", "boolean": "true or false", "array": "a list"}


@dataclass(frozen=True)
class FieldError:
    """An error of one field, with the remedy."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def with_defaults(schema: Schema, value: Any) -> Any:
    """The object as the API server stores it: without nulls, with the schema's defaults."""
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(schema["items"], item) for item in value]
    if not isinstance(value, dict) or not schema:
        return value
    fields = schema.get("properties", {})
    kept = {name: item for name, item in value.items() if item is not None or _child(schema, name) is None}
    defaults = {name: deepcopy(field["default"]) for name, field in fields.items() if "default" in field}
    return {name: with_defaults(_child(schema, name) or {}, item) for name, item in (defaults | kept).items()}


def unknown_fields(schema: Schema, value: Any, path: str = "") -> Iterator[FieldError]:
    """Fields that the schema does not have."""
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from unknown_fields(schema["items"], item, f"{path}[{number}]")
    elif isinstance(value, dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        for name, item in value.items():
            child = _child(schema, name)
            if child is not None:
                yield from unknown_fields(child, item, _below(schema, path, name))
            elif schema.get("type") == "object":
                yield FieldError(_below(schema, path, name), _unknown(name, schema.get("properties", {})))


def schema_errors(schema: Schema, value: Any, path: str = "") -> Iterator[FieldError]:
    """Violations of the schema: types, bounds, patterns, missing fields, duplicates."""
    problem = _type_problem(schema, value) or next(_value_problems(schema, value), None)
    if problem is not None:
        yield FieldError(path, problem)
    elif isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                yield FieldError(_below(schema, path, name), "missing, and it has no default")
        for name, item in value.items():
            child = _child(schema, name)
            if child is not None:
                yield from schema_errors(child, item, _below(schema, path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from schema_errors(schema.get("items", {}), item, f"{path}[{number}]")
        yield from _twice(schema, value, path)


def rule_errors(schema: Schema, value: Any, path: str = "") -> Iterator[FieldError]:
    """The CEL rules that an object breaks which its schema takes. Rules of a change say nothing of a file."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" not in rule["rule"] and not _holds(rule["rule"], value):
            yield FieldError((path + rule.get("fieldPath", "")).removeprefix("."), rule["message"])
    if isinstance(value, dict):
        for name, item in value.items():
            child = _child(schema, name)
            if child is not None:
                yield from rule_errors(child, item, _below(schema, path, name))
    elif isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from rule_errors(schema["items"], item, f"{path}[{number}]")


def _holds(rule: str, value: Any) -> bool:
    try:
        return compiled(rule)({"self": value}) is True
    except EvaluationError:
        return False


def _child(schema: Schema, name: str) -> Schema | None:
    """The schema of one field or key. None: unknown."""
    child: Schema | None = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
    return child


def _below(schema: Schema, path: str, name: str) -> str:
    """The path of a field. A map's key is in brackets, as in the API server's messages."""
    if "additionalProperties" in schema:
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    """The message for an unknown field. The message suggests a field with a similar spelling, also for snake case."""
    spelled = {other.lower(): other for other in known}
    near = get_close_matches(name.replace("_", "").lower(), spelled, n=1)
    remedy = f"do you mean {spelled[near[0]]}?" if near else f"known fields: {', '.join(known) or 'nothing'}"
    return f"there is no such field; {remedy}"


def _type_problem(schema: Schema, value: Any) -> str | None:
    kind = _TYPES[type(value)]
    if kind == "integer" and value not in _INT64:
        kind = "number"
    allowed = ("integer", "string") if schema.get("x-kubernetes-int-or-string") else (schema.get("type", kind),)
    if kind in allowed:
        return None
    wanted = " or ".join(_IN_WORDS.get(each, "fields of its own") for each in allowed)
    return f"give {wanted}, not {_shown(value)}{_quoting(allowed, kind, value)}"


def _quoting(allowed: Sequence[str], kind: str, value: Any) -> str:
    """A hint about quotes, the most common cause of a wrong type."""
    if "string" in allowed and kind in ("integer", "number", "boolean"):
        return f": write it in quotes, '{str(value).lower() if kind == 'boolean' else value}'"
    if kind == "string" and allowed[0] in ("integer", "boolean"):
        return ": write it without quotes"
    return ""


def _value_problems(schema: Schema, value: Any) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"give one of {', '.join(map(str, schema['enum']))}, not {_shown(value)}"
    if isinstance(value, int) and not isinstance(value, bool):
        yield from _number_problems(schema, value)
    if isinstance(value, str):
        yield from _text_problems(schema, value)
    for kind, unit in ((list, "Items"), (dict, "Properties")):
        if isinstance(value, kind):
            least, most = schema.get(f"min{unit}", 0), schema.get(f"max{unit}")
            if len(value) < least or (most is not None and len(value) > most):
                yield f"it has {len(value)} entries: give {_between(least, most)}"


def _number_problems(schema: Schema, value: int) -> Iterator[str]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if (least is not None and value < least) or (most is not None and value > most):
        yield f"give a whole number {_between(least, most)}, not {value}"


def _text_problems(schema: Schema, value: str) -> Iterator[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if len(value) < least or (most is not None and len(value) > most):
        yield f"it has {len(value)} characters: give {_between(least, most)}"
    pattern = schema.get("pattern")
    if pattern is not None and not matches(value, pattern):
        yield _pattern_problem(schema, pattern, value)
    if schema.get("format") == "date-time" and not _is_time(value):
        yield f"give a time, for example 2026-01-31T12:00:00Z, not {_shown(value)}"


def _pattern_problem(schema: Schema, pattern: str, value: str) -> str:
    """The remedy of the rule with the same pattern, else the field's description."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if rule["rule"] == f"self.matches(r'{pattern}')":
            return f"not {_shown(value)}: {rule['message']}"
    return f"{_shown(value)} does not match {pattern} ({schema.get('description', 'see the field reference')})"


def _twice(schema: Schema, value: Sequence[Any], path: str) -> Iterator[FieldError]:
    """Duplicate items of a set, or keys of a map list."""
    seen: list[Any] = []
    for number, item in enumerate(value):
        identity = _identity(schema, item)
        if identity is not None and identity in seen:
            yield FieldError(f"{path}[{number}]", f"{_shown(identity)} is duplicated: leave one out")
        seen.append(identity)


def _identity(schema: Schema, item: Any) -> Any:
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set":
        return item
    if kind == "map" and isinstance(item, dict):
        return ", ".join(str(item.get(key)) for key in schema["x-kubernetes-list-map-keys"])
    return None


def _between(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f"from {least} to {most}"
    return f"of at least {least}" if most is None else f"of at most {most}"


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
