"""Makes a document that satisfies a JSON schema, for answers with a `response_format`.

Supports the keywords that pydantic, OpenAI's structured outputs and hand-written schemas use. A keyword that, ignored,
could make the document invalid is refused by name.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from boardroom.simulator.json_schema.text import SchemaError, text

_MAX_DEPTH: Final = 24
_MAX_FULL_DEPTH: Final = 4
"""Optional properties are omitted below this depth, so that recursive schemas end."""
_MAX_ITEMS: Final = 3
_MAX_VALUES: Final = 20_000
_ATTEMPTS: Final = 64
_REFUSED: Final = (
    "not",
    "if",
    "contains",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
)
_KIND_BY_KEYWORD: Final = (
    ("object", ("properties", "required", "additionalProperties", "minProperties", "patternProperties")),
    ("array", ("items", "prefixItems", "minItems", "maxItems", "uniqueItems")),
    ("string", ("minLength", "maxLength", "pattern", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
_PREFERRED: Final = ("string", "object", "array", "number", "integer", "boolean", "null")

Schema = Mapping[str, Any] | bool


def document(schema: Any, chance: Iterator[int], sentences: Iterator[str]) -> Any:
    """Return a value of the schema; `chance` yields bytes, `sentences` free text. Raises SchemaError."""
    if not isinstance(schema, dict | bool):
        raise SchemaError(f"a schema is an object, not {schema!r}")
    try:
        return _Composer(schema, chance, sentences).value(schema, 0)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise SchemaError(f"the schema is not valid: {error}") from error


class _Composer:
    def __init__(self, root: Schema, chance: Iterator[int], sentences: Iterator[str]) -> None:
        self._root = root
        self._chance = chance
        self._sentences = sentences
        self._values = 0

    def value(self, schema: Any, depth: int) -> Any:
        self._values += 1
        if depth > _MAX_DEPTH or self._values > _MAX_VALUES:
            raise SchemaError(f"the schema does not end within {_MAX_DEPTH} levels and {_MAX_VALUES} values")
        flat = self._flat(schema)
        if "const" in flat:
            return flat["const"]
        if "enum" in flat:
            return self._choice(flat["enum"])
        keyword = next((keyword for keyword in ("anyOf", "oneOf") if keyword in flat), None)
        return self._typed(flat, depth) if keyword is None else self._any_of(flat, keyword, depth)

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = self._kind(schema, depth)
        makers: Mapping[str, Callable[[], Any]] = {
            "object": lambda: self._object(schema, depth),
            "array": lambda: self._array(schema, depth),
            "string": lambda: text(schema, self._chance, self._sentences),
            "number": lambda: self._number(schema, kind),
            "integer": lambda: self._number(schema, kind),
            "boolean": lambda: next(self._chance) % 2 == 0,
            "null": lambda: None,
        }
        if kind not in makers:
            raise SchemaError(f"there is no type {kind!r}")
        return makers[kind]()

    def _flat(self, schema: Any) -> dict[str, Any]:
        """Return the schema with its references and allOf merged in."""
        flat: dict[str, Any] = {}
        for part in self._parts(schema, 0):
            for keyword, value in part.items():
                if keyword in {"properties", "$defs"}:
                    flat[keyword] = {**flat.get(keyword, {}), **value}
                elif keyword == "required":
                    flat[keyword] = [*flat.get(keyword, []), *value]
                else:
                    flat[keyword] = value
        return flat

    def _parts(self, schema: Any, followed: int) -> Iterator[Mapping[str, Any]]:
        if schema is True:
            return
        if not isinstance(schema, dict) or followed > _MAX_DEPTH:
            raise SchemaError(f"nothing satisfies the schema {schema!r}")
        refused = next((keyword for keyword in _REFUSED if keyword in schema), None)
        if refused is not None:
            raise SchemaError(f"`{refused}` is not followed")
        if "$ref" in schema:
            yield from self._parts(self._referenced(schema["$ref"]), followed + 1)
        for part in schema.get("allOf", ()):
            yield from self._parts(part, followed + 1)
        yield {keyword: value for keyword, value in schema.items() if keyword not in {"$ref", "allOf"}}

    def _referenced(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise SchemaError(f"only references inside the schema are followed, not {reference!r}")
        target: Any = self._root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or name not in target:
                raise SchemaError(f"there is nothing at {reference}")
            target = target[name]
        return target

    def _any_of(self, schema: Mapping[str, Any], keyword: str, depth: int) -> Any:
        """Return a value of one of the options, null last; below _MAX_FULL_DEPTH of the first one that ends."""
        rest = {name: value for name, value in schema.items() if name != keyword}
        options: Sequence[Any] = schema[keyword]
        some = [option for option in options if option != {"type": "null"}]
        if not options:
            raise SchemaError(f"`{keyword}` is empty")
        ordered = sorted(some, key=lambda _: next(self._chance)) if depth < _MAX_FULL_DEPTH else some
        nulls = [option for option in options if option == {"type": "null"}]
        order = [*nulls, *ordered] if depth >= _MAX_FULL_DEPTH else [*ordered, *nulls]
        problem: SchemaError | None = None
        for option in order:
            try:
                return self.value({**rest, "allOf": [*rest.get("allOf", ()), option]}, depth + 1)
            except SchemaError as error:
                problem = problem or error
        raise problem or SchemaError(f"`{keyword}` has no option")

    def _kind(self, schema: Mapping[str, Any], depth: int) -> str:
        named = schema.get("type")
        if isinstance(named, str):
            return named
        if isinstance(named, list):
            order = _PREFERRED if depth < _MAX_FULL_DEPTH else tuple(reversed(_PREFERRED))
            return next((kind for kind in order if kind in named), str(named))
        return next((kind for kind, keywords in _KIND_BY_KEYWORD if any(k in schema for k in keywords)), "string")

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema.get("properties", {})
        required = schema.get("required", ())
        extra = schema.get("additionalProperties", True)
        fewest, most = schema.get("minProperties", 0), schema.get("maxProperties", math.inf)
        if not properties and not required and extra is not False and most > 0:
            fewest = max(fewest, 1)
        wanted = [name for name in properties if name in required]
        if depth < _MAX_FULL_DEPTH:
            wanted += [name for name in properties if name not in required and properties[name] is not False]
        names = [name for name in properties if name in wanted]
        names += [name for name in dict.fromkeys(required) if name not in properties]
        spare = [name for name in (*properties, *_spare_names(properties)) if name not in names]
        names += spare[: max(fewest - len(names), 0)]
        while len(names) > most:
            surplus = next((name for name in reversed(names) if name not in required), None)
            if surplus is None:
                raise SchemaError("`required` names more than `maxProperties` allows")
            names.remove(surplus)
        if extra is False and any(name not in properties for name in names):
            raise SchemaError("properties are required that `additionalProperties` forbids")
        return {name: self.value(properties.get(name, extra), depth + 1) for name in names}

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        prefix: Sequence[Any] = schema.get("prefixItems", ())
        items = schema.get("items", True)
        if isinstance(items, list):  # drafts before 2020-12 write prefixItems so
            prefix, items = items, schema.get("additionalItems", True)
        fewest, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        wish = max(len(prefix), 0 if depth >= _MAX_FULL_DEPTH else 1 + next(self._chance) % _MAX_ITEMS)
        if items is False:
            most = min(most, len(prefix))
        count = int(max(fewest, min(wish, most)))
        if count > most:
            raise SchemaError("`minItems` is more than there may be")
        values: list[Any] = []
        for index in range(count):
            values.append(self._item(prefix[index] if index < len(prefix) else items, values, schema, depth))
        return values

    def _item(self, item: Any, values: Sequence[Any], schema: Mapping[str, Any], depth: int) -> Any:
        for _ in range(_ATTEMPTS):
            value = self.value(item, depth + 1)
            if not schema.get("uniqueItems") or value not in values:
                return value
        raise SchemaError("`uniqueItems` asks for more values than there are")

    def _number(self, schema: Mapping[str, Any], kind: str) -> int | float:
        step = schema.get("multipleOf", 1 if kind == "integer" else 0.01)
        if kind == "integer" and step != int(step):
            step = 1 if (1 / step).is_integer() else math.inf
        least, most = _bounds(schema, step)
        if least > most:
            raise SchemaError(f"no number is between the bounds of {dict(schema)!r}")
        spread = int(min(most - least, 255 * 256 + 255))
        count = least + (next(self._chance) * 256 + next(self._chance)) % (spread + 1)
        number = count * step
        return int(number) if kind == "integer" else round(number, 10)

    def _choice(self, options: Any) -> Any:
        if not isinstance(options, list) or not options:
            raise SchemaError("`enum` is no list of values")
        return options[next(self._chance) % len(options)]


def _bounds(schema: Mapping[str, Any], step: float) -> tuple[int, int]:
    """Return the lowest and the highest multiple of the step, a hundred apart if one side is open."""
    lower = schema.get("minimum", -math.inf)
    upper = schema.get("maximum", math.inf)
    above = schema.get("exclusiveMinimum", -math.inf)
    below = schema.get("exclusiveMaximum", math.inf)
    least = max(_round(math.ceil, lower, step), _round(math.floor, above, step) + 1)
    most = min(_round(math.floor, upper, step), _round(math.ceil, below, step) - 1)
    width = max(int(100 / step), 1)
    if least == -math.inf:
        least = 0 if most >= 0 else most - width
    if most == math.inf:
        most = least + width
    return int(least), int(most)


def _round(towards: Any, bound: float, step: float) -> float:
    return bound if math.isinf(bound) else towards(round(bound / step, 9))


def _spare_names(taken: Mapping[str, Any]) -> Iterator[str]:
    names = ("answer", *(f"field_{number}" for number in range(1, 64)))
    return (name for name in names if name not in taken)
