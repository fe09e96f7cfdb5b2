"""The JSON schemas that a LoRAX may be sent: what its library takes, holds answers to, and compiles in seconds.

A schema that the library refuses fails a prefill, and that ends the whole router where others are being answered; a
bound of length freezes it for minutes (docs/decisions/0026). So nothing but this subset reaches LoRAX. What says the
same in the subset is rewritten: references are put in place, annotations go, a list of types becomes anyOf. Rewriting
may narrow a schema and never widens it: whatever LoRAX can answer satisfies the schema as it was asked for. So a
constraint that the library does not heed is refused rather than left out. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from boardroom.engine.errors import SchemaRefused
from boardroom.engine.lorax.schema_price import MOST, price
from boardroom.engine.schema_limits import bounded

MOST_OPTIONAL: Final = 5
"""Properties of an object that requires none of them: the library's time doubles with each."""
MOST_NODES: Final = 1_000
"""Schemas in a schema: references that are followed can double them with each level."""
MOST_STEPS: Final = 64
"""To a place in it, references included."""
MOST_ALTERNATIVES: Final = 32
"""Of a oneOf: each is compared with all others."""
FORMATS: Final = ("date-time", "date", "uuid")
"""The library knows `time` too, and lets through what is no JSON: a fraction of a second begins with a backslash."""

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
"""What may stand beside a type."""
_COSTLY: Final = frozenset(
    {"minLength", "maxLength", "pattern", "minItems", "maxItems", "minProperties", "maxProperties"}
)
_UNHEEDED: Final = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems"}
)
_NAME: Final = re.compile(r"""[^\x00-\x1f\x7f"\\^$.|?*+()\[\]{}]{1,64}""")
"""The library writes a name into its regular expression as it is."""
_POINTER: Final = re.compile(r"#(/[^/]*)+")
_MISSING: Final = object()

Path = tuple[str, ...]


def subset(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema as LoRAX may be sent it; raises SchemaRefused, which names the place and the remedy.

    Nobody may change it: it is kept for whoever asks next.
    """
    bounded(schema)
    return _subset(orjson.dumps(schema))


@lru_cache(maxsize=64)
def _subset(text: bytes) -> Mapping[str, Any]:
    root = orjson.loads(text)
    made = _Rewriting(root).node(root, (), ())
    cost = price(made)
    for found, most, what in zip(cost, MOST, ("states", "characters of a regular expression"), strict=True):
        if found > most:
            raise SchemaRefused(
                (),
                f"LoRAX would make about {found} {what} of it and stand still meanwhile; at most {most} are taken: "
                "fewer properties and values, shorter names, or fewer levels",
            )
    return made


class _Rewriting:
    """Of one schema."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._nodes = 0

    def node(self, schema: Any, path: Path, followed: tuple[str, ...]) -> dict[str, Any]:
        """One schema in the subset; `followed` are the references that led here."""
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise SchemaRefused(path, f"with its references put in place it has more than {MOST_NODES} schemas")
        if len(path) > MOST_STEPS:
            raise SchemaRefused(path, f"with its references put in place it is nested deeper than {MOST_STEPS} steps")
        if not isinstance(schema, dict):
            raise SchemaRefused(path, f"{schema!r} says nothing of the type: give one")
        said = {keyword: value for keyword, value in schema.items() if keyword not in _ANNOTATIONS}
        for keyword in ("$ref", "allOf", "anyOf", "oneOf"):
            if keyword in said:
                _alone(said, keyword, path)
                return self._composed(keyword, said[keyword], path, followed)
        if "const" in said or "enum" in said:
            return _literals(said, path)
        kind = said.get("type", _implied(said))
        if kind is None:
            _known(said, {"type"}, path)
            raise SchemaRefused(path, "it says nothing of the type: give one")
        if not isinstance(kind, list):
            return self._typed(said, kind, path, followed)
        options = [
            self._typed({name: said[name] for name in _PARTS.get(str(one), ()) if name in said}, one, path, followed)
            for one in kind
        ]
        parts = {name for one in kind for name in _PARTS.get(str(one), ())}
        _known(said, {"type", *parts}, path)
        return _any(options, path)

    def _composed(self, keyword: str, value: Any, path: Path, followed: tuple[str, ...]) -> dict[str, Any]:
        if keyword == "$ref":
            return self._referenced(value, (*path, keyword), followed)
        path = (*path, keyword)
        if not isinstance(value, list) or not value:
            raise SchemaRefused(path, "it must be a list of schemas")
        options = [self.node(option, (*path, str(index)), followed) for index, option in enumerate(value)]
        if keyword == "allOf" and len(options) > 1:
            raise SchemaRefused(path, "LoRAX can't hold an answer to several schemas at once: write them as one")
        if keyword == "oneOf":
            _told_apart(options, path)
        return _any(options, path)

    def _referenced(self, reference: Any, path: Path, followed: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(reference, str) or not (reference == "#" or _POINTER.fullmatch(reference)):
            raise SchemaRefused(path, "only references within the schema are followed, as #/$defs/NAME")
        if reference in followed or reference == "#":
            raise SchemaRefused(path, f"{reference} contains itself: LoRAX needs a schema that ends")
        found = self._root
        for step in reference.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name, _MISSING) if isinstance(found, dict) else _MISSING
        if found is _MISSING:
            raise SchemaRefused(path, f"there is nothing at {reference}")
        return self.node(found, path, (*followed, reference))

    def _typed(self, said: Mapping[str, Any], kind: Any, path: Path, followed: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(kind, str) or kind not in _PARTS:
            raise SchemaRefused((*path, "type"), f"there is no type {kind!r}; the types are {', '.join(_PARTS)}")
        _known(said, {"type", *_PARTS[kind]}, path)
        if kind == "object":
            return self._object(said, path, followed)
        if kind == "array":
            if "items" not in said:
                raise SchemaRefused(path, "items is missing: say what the array's items are")
            return {"type": "array", "items": self.node(said["items"], (*path, "items"), followed)}
        if "format" in said and said["format"] not in FORMATS:
            raise SchemaRefused(
                (*path, "format"), f"LoRAX knows no {said['format']!r}: leave it out, or take {', '.join(FORMATS)}"
            )
        return {"type": kind, **({"format": said["format"]} if "format" in said else {})}

    def _object(self, said: Mapping[str, Any], path: Path, followed: tuple[str, ...]) -> dict[str, Any]:
        """LoRAX answers with the properties that are named and no other, whatever may be added to them."""
        extra, properties = said.get("additionalProperties", True), said.get("properties")
        required = said.get("required", [])
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
            values = self.node(extra, (*path, "additionalProperties"), followed)
            return {"type": "object", "additionalProperties": values}
        properties = {} if properties is None else properties
        path = (*path, "properties")
        if not required and len(properties) > MOST_OPTIONAL:
            raise SchemaRefused(
                path,
                f"of {len(properties)} none is required, and LoRAX takes at most {MOST_OPTIONAL} so: require at least "
                'one, or all of them, and let those that may be missing be null ("type": ["string", "null"])',
            )
        for name in properties:
            if not _NAME.fullmatch(name):
                text = "a name has 1 to 64 characters, and none that regular expressions or JSON give a meaning"
                raise SchemaRefused((*path, name[:80]), f"{text}: rename it")
        made = {name: self.node(value, (*path, name), followed) for name, value in properties.items()}
        return {"type": "object", "properties": made, **({"required": required} if required else {})}


def _alone(said: Mapping[str, Any], keyword: str, path: Path) -> None:
    """Of what stands beside these, LoRAX's library heeds nothing."""
    beside = next((name for name in said if name != keyword), None)
    if beside is not None:
        raise SchemaRefused(
            (*path, beside), f"LoRAX does not heed it beside {keyword}: write it into what {keyword} says"
        )


def _known(said: Mapping[str, Any], keywords: set[str], path: Path) -> None:
    unknown = next((name for name in said if name not in keywords), None)
    if unknown is None:
        return
    if unknown in _COSTLY:
        why = "LoRAX stands still for up to minutes while it compiles it: leave it out, and look at the answer yourself"
    elif unknown in _UNHEEDED:
        why = "LoRAX does not hold an answer to it: leave it out, and look at the answer yourself"
    else:
        why = "LoRAX can't hold an answer to it here: leave it out"
    raise SchemaRefused((*path, unknown), why)


def _implied(said: Mapping[str, Any]) -> str | None:
    """The type that is meant where none is named."""
    return next((kind for kind, parts in _PARTS.items() if any(part in said for part in parts)), None)


def _literals(said: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """A const or an enum, of values of the type beside it."""
    keyword = "const" if "const" in said else "enum"
    _known(said, {"type", keyword}, path)
    values = [said["const"]] if keyword == "const" else said["enum"]
    if not isinstance(values, list) or not values:
        raise SchemaRefused((*path, keyword), "it must be a list of values")
    kinds = said.get("type")
    kinds = kinds if isinstance(kinds, list) or kinds is None else [kinds]
    for value in values:
        if isinstance(value, dict | list):
            raise SchemaRefused(
                (*path, keyword), "LoRAX takes texts, numbers, true, false and null here: write what it is by type"
            )
        if kinds is not None and not any(_is(value, str(kind)) for kind in kinds):
            raise SchemaRefused((*path, keyword), f"{value!r} is of no type that stands beside it: {kinds!r}")
    return {keyword: said[keyword]}


def _is(value: Any, kind: str) -> bool:
    if kind in {"integer", "number"}:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (kind == "number" or float(value).is_integer())
    return isinstance(value, {"string": str, "boolean": bool, "null": type(None)}.get(kind, ()))


def _any(options: Sequence[dict[str, Any]], path: Path) -> dict[str, Any]:
    if not options:
        raise SchemaRefused((*path, "type"), "it is an empty list: name a type")
    return options[0] if len(options) == 1 else {"anyOf": list(options)}


def _told_apart(options: Sequence[dict[str, Any]], path: Path) -> None:
    """LoRAX takes oneOf for anyOf, and that is the same where no answer can satisfy two of them."""
    if len(options) > MOST_ALTERNATIVES:
        raise SchemaRefused(path, f"at most {MOST_ALTERNATIVES} alternatives are compared: write anyOf")
    for index, one in enumerate(options):
        for other in options[:index]:
            if not _apart(one, other):
                raise SchemaRefused(
                    path, "LoRAX does not see to it that only one is satisfied: write anyOf, or tell them apart by type"
                )


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether nothing satisfies both, as far as it can be seen at once."""
    for left, right in ((one, other), (other, one)):
        if "anyOf" in left:
            return all(_apart(option, right) for option in left["anyOf"])
    values = [_values(schema) for schema in (one, other)]
    if values[0] is not None and values[1] is not None:
        return values[0].isdisjoint(values[1])
    if not _kinds(one) & _kinds(other):
        return True
    common = {*one.get("required", ())} & {*other.get("required", ())}
    return any(_apart(one["properties"][name], other["properties"][name]) for name in common)


def _values(schema: Mapping[str, Any]) -> frozenset[bytes] | None:
    if "const" in schema:
        return frozenset({orjson.dumps(schema["const"])})
    return frozenset(map(orjson.dumps, schema["enum"])) if "enum" in schema else None


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    """The types that it may be; an integer is a number."""
    values = _values(schema)
    if values is None:
        return {"number" if schema["type"] == "integer" else schema["type"]}
    return {kind for kind in _PARTS if kind != "integer" for text in values if _is(orjson.loads(text), kind)}
