"""Rewrites a JSON schema into the subset that LoRAX supports: accepts, enforces, and compiles in seconds. Pure.

A schema that LoRAX's library refuses fails a prefill, which ends the router while others are answered
(docs/lorax.md#prefill-abort); a bound of length freezes LoRAX for minutes (docs/decisions/0026). So only this subset
reaches LoRAX. References are inlined, annotations are dropped, a list of types becomes anyOf. Rewriting may narrow a
schema and never widens it: each answer satisfies the original schema. A constraint that the library does not enforce is
therefore refused, not dropped.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from boardroom.engine.errors import SchemaRefused
from boardroom.engine.lorax.schema_cost import MAX_COST, schema_cost
from boardroom.engine.schema_limits import bounded

MAX_OPTIONAL: Final = 5
"""Properties of an object that requires none of them: each doubles the library's time."""
MAX_NODES: Final = 1_000
"""Schemas in a schema: inlined references can double them with each level."""
MAX_STEPS: Final = 64
"""Steps from the root to a place in the schema, references included."""
MAX_ALTERNATIVES: Final = 32
"""Alternatives of a oneOf: each is compared with all others."""
FORMATS: Final = ("date-time", "date", "uuid")
"""The library has `time` too, but its fraction of a second begins with a backslash, which is not JSON."""

_ANNOTATIONS: Final = frozenset(
    {
        "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "discriminator",
        "$comment", "$schema", "$id", "$defs", "definitions",
    }
)  # fmt: skip
_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items",),
    "string": ("format",),
    "integer": (),
    "number": (),
    "boolean": (),
    "null": (),
}
"""The keywords that may stand beside each type."""
_COSTLY: Final = frozenset(
    {"minLength", "maxLength", "pattern", "minItems", "maxItems", "minProperties", "maxProperties"}
)
_UNENFORCED: Final = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems"}
)
_NAME: Final = re.compile(r"""[^\x00-\x1f\x7f"\\^$.|?*+()\[\]{}]{1,64}""")
"""The library puts a name into its regular expression unescaped."""
_POINTER: Final = re.compile(r"#(/[^/]*)+")
_MISSING: Final = object()

Path = tuple[str, ...]


def subset(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema in the subset; raises SchemaRefused, which names place and remedy.

    The result is cached and must not be changed.
    """
    bounded(schema)
    return _subset(orjson.dumps(schema))


@lru_cache(maxsize=64)
def _subset(text: bytes) -> Mapping[str, Any]:
    root = orjson.loads(text)
    rewritten = _Rewriting(root).node(root, (), ())
    cost = schema_cost(rewritten)
    for amount, limit, unit in zip(cost, MAX_COST, ("states", "characters of a regular expression"), strict=True):
        if amount > limit:
            raise SchemaRefused(
                (),
                f"LoRAX would make about {amount} {unit} of it and stand still meanwhile; at most {limit} are taken: "
                "fewer properties and values, shorter names, or fewer levels",
            )
    return rewritten


class _Rewriting:
    """Rewrites one schema; counts its nodes."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._nodes = 0

    def node(self, schema: Any, path: Path, references: tuple[str, ...]) -> dict[str, Any]:
        """Return one schema in the subset; `references` are those that led here."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise SchemaRefused(path, f"with its references put in place it has more than {MAX_NODES} schemas")
        if len(path) > MAX_STEPS:
            raise SchemaRefused(path, f"with its references put in place it is nested deeper than {MAX_STEPS} steps")
        if not isinstance(schema, dict):
            raise SchemaRefused(path, f"{schema!r} says nothing of the type: give one")
        present = {keyword: value for keyword, value in schema.items() if keyword not in _ANNOTATIONS}
        for keyword in ("$ref", "allOf", "anyOf", "oneOf"):
            if keyword in present:
                _check_alone(present, keyword, path)
                return self._composed(keyword, present[keyword], path, references)
        if "const" in present or "enum" in present:
            return _literals(present, path)
        kind = present.get("type", _implied(present))
        if kind is None:
            _check_keywords(present, {"type"}, path)
            raise SchemaRefused(path, "it says nothing of the type: give one")
        if not isinstance(kind, list):
            return self._typed(present, kind, path, references)
        options = [
            self._typed(
                {name: present[name] for name in _PARTS.get(str(type_), ()) if name in present}, type_, path, references
            )
            for type_ in kind
        ]
        parts = {name for type_ in kind for name in _PARTS.get(str(type_), ())}
        _check_keywords(present, {"type", *parts}, path)
        return _any_of(options, path)

    def _composed(self, keyword: str, value: Any, path: Path, references: tuple[str, ...]) -> dict[str, Any]:
        if keyword == "$ref":
            return self._referenced(value, (*path, keyword), references)
        path = (*path, keyword)
        if not isinstance(value, list) or not value:
            raise SchemaRefused(path, "it must be a list of schemas")
        options = [self.node(option, (*path, str(index)), references) for index, option in enumerate(value)]
        if keyword == "allOf" and len(options) > 1:
            raise SchemaRefused(path, "LoRAX can't hold an answer to several schemas at once: write them as one")
        if keyword == "oneOf":
            _check_disjoint(options, path)
        return _any_of(options, path)

    def _referenced(self, reference: Any, path: Path, references: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(reference, str) or not (reference == "#" or _POINTER.fullmatch(reference)):
            raise SchemaRefused(path, "only references within the schema are references, as #/$defs/NAME")
        if reference in references or reference == "#":
            raise SchemaRefused(path, f"{reference} contains itself: LoRAX needs a schema that ends")
        target = self._root
        for step in reference.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name, _MISSING) if isinstance(target, dict) else _MISSING
        if target is _MISSING:
            raise SchemaRefused(path, f"there is nothing at {reference}")
        return self.node(target, path, (*references, reference))

    def _typed(self, present: Mapping[str, Any], kind: Any, path: Path, references: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(kind, str) or kind not in _PARTS:
            raise SchemaRefused((*path, "type"), f"there is no type {kind!r}; the types are {', '.join(_PARTS)}")
        _check_keywords(present, {"type", *_PARTS[kind]}, path)
        if kind == "object":
            return self._object(present, path, references)
        if kind == "array":
            if "items" not in present:
                raise SchemaRefused(path, "items is missing: say what the array's items are")
            return {"type": "array", "items": self.node(present["items"], (*path, "items"), references)}
        if "format" in present and present["format"] not in FORMATS:
            raise SchemaRefused(
                (*path, "format"), f"LoRAX knows no {present['format']!r}: leave it out, or take {', '.join(FORMATS)}"
            )
        return {"type": kind, **({"format": present["format"]} if "format" in present else {})}

    def _object(self, present: Mapping[str, Any], path: Path, references: tuple[str, ...]) -> dict[str, Any]:
        """LoRAX answers with the named properties only, also if additionalProperties allows more."""
        extra, properties = present.get("additionalProperties", True), present.get("properties")
        required = present.get("required", [])
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            raise SchemaRefused((*path, "required"), "it must be a list of names")
        if not isinstance(properties, dict | None):
            raise SchemaRefused((*path, "properties"), "it must be an object of schemas")
        absent = next((name for name in required if name not in (properties or {})), None)
        if absent is not None:
            raise SchemaRefused((*path, "required"), f"{absent!r} is not in properties: say there what it is")
        if properties is None and extra is not False:
            if extra is True or extra == {}:
                return {"type": "object"}
            values = self.node(extra, (*path, "additionalProperties"), references)
            return {"type": "object", "additionalProperties": values}
        properties = {} if properties is None else properties
        path = (*path, "properties")
        if not required and len(properties) > MAX_OPTIONAL:
            raise SchemaRefused(
                path,
                f"of {len(properties)} none is required, and LoRAX takes at most {MAX_OPTIONAL} so: require at least "
                'one, or all of them, and let those that may be missing be null ("type": ["string", "null"])',
            )
        for name in properties:
            if not _NAME.fullmatch(name):
                text = "a name has 1 to 64 characters, and none that regular expressions or JSON give a meaning"
                raise SchemaRefused((*path, name[:80]), f"{text}: rename it")
        rewritten = {name: self.node(value, (*path, name), references) for name, value in properties.items()}
        return {"type": "object", "properties": rewritten, **({"required": required} if required else {})}


def _check_alone(present: Mapping[str, Any], keyword: str, path: Path) -> None:
    """Raise SchemaRefused if other keywords stand beside this one: LoRAX's library ignores them."""
    beside = next((name for name in present if name != keyword), None)
    if beside is not None:
        raise SchemaRefused((*path, beside), f"LoRAX ignores it beside {keyword}: write it into what {keyword} says")


def _check_keywords(present: Mapping[str, Any], keywords: set[str], path: Path) -> None:
    unknown = next((name for name in present if name not in keywords), None)
    if unknown is None:
        return
    if unknown in _COSTLY:
        why = "LoRAX stands still for up to minutes while it compiles it: leave it out, and look at the answer yourself"
    elif unknown in _UNENFORCED:
        why = "LoRAX does not hold an answer to it: leave it out, and look at the answer yourself"
    else:
        why = "LoRAX can't hold an answer to it here: leave it out"
    raise SchemaRefused((*path, unknown), why)


def _implied(present: Mapping[str, Any]) -> str | None:
    """Return the type that the keywords imply if none is given."""
    return next((kind for kind, parts in _PARTS.items() if any(part in present for part in parts)), None)


def _literals(present: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a const or an enum whose values have the type beside it."""
    keyword = "const" if "const" in present else "enum"
    _check_keywords(present, {"type", keyword}, path)
    values = [present["const"]] if keyword == "const" else present["enum"]
    if not isinstance(values, list) or not values:
        raise SchemaRefused((*path, keyword), "it must be a list of values")
    kinds = present.get("type")
    kinds = kinds if isinstance(kinds, list) or kinds is None else [kinds]
    for value in values:
        if isinstance(value, dict | list):
            raise SchemaRefused(
                (*path, keyword), "LoRAX takes texts, numbers, true, false and null here: write what it is by type"
            )
        if kinds is not None and not any(_has_type(value, str(kind)) for kind in kinds):
            raise SchemaRefused((*path, keyword), f"{value!r} is of no type that stands beside it: {kinds!r}")
    return {keyword: present[keyword]}


def _has_type(value: Any, kind: str) -> bool:
    if kind in {"integer", "number"}:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (kind == "number" or float(value).is_integer())
    return isinstance(value, {"string": str, "boolean": bool, "null": type(None)}.get(kind, ()))


def _any_of(options: Sequence[dict[str, Any]], path: Path) -> dict[str, Any]:
    if not options:
        raise SchemaRefused((*path, "type"), "it is an empty list: name a type")
    return options[0] if len(options) == 1 else {"anyOf": list(options)}


def _check_disjoint(options: Sequence[dict[str, Any]], path: Path) -> None:
    """Raise SchemaRefused unless the options exclude each other: LoRAX treats oneOf as anyOf."""
    if len(options) > MAX_ALTERNATIVES:
        raise SchemaRefused(path, f"at most {MAX_ALTERNATIVES} alternatives are compared: write anyOf")
    for index, option in enumerate(options):
        for other in options[:index]:
            if not _are_disjoint(option, other):
                raise SchemaRefused(
                    path, "LoRAX does not see to it that only one is satisfied: write anyOf, or tell them apart by type"
                )


def _are_disjoint(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether no value satisfies both, as far as their types, values and required properties tell."""
    for left, right in ((first, second), (second, first)):
        if "anyOf" in left:
            return all(_are_disjoint(option, right) for option in left["anyOf"])
    values = [_values(schema) for schema in (first, second)]
    if values[0] is not None and values[1] is not None:
        return values[0].isdisjoint(values[1])
    if not _types(first) & _types(second):
        return True
    common = {*first.get("required", ())} & {*second.get("required", ())}
    return any(_are_disjoint(first["properties"][name], second["properties"][name]) for name in common)


def _values(schema: Mapping[str, Any]) -> frozenset[bytes] | None:
    if "const" in schema:
        return frozenset({orjson.dumps(schema["const"])})
    return frozenset(map(orjson.dumps, schema["enum"])) if "enum" in schema else None


def _types(schema: Mapping[str, Any]) -> set[str]:
    """Return the types that a value may have; an integer is a number."""
    values = _values(schema)
    if values is None:
        return {"number" if schema["type"] == "integer" else schema["type"]}
    return {kind for kind in _PARTS if kind != "integer" for text in values if _has_type(orjson.loads(text), kind)}
