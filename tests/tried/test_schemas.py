"""Schemas of `response_format` that people sent, by engine.

tests/component/engine/test_schema_subset_outlines.py shows LoRAX's own library each of them: it takes what
is taken here, and does what is said here with what is refused.
"""

import datetime as dt
import enum
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import BaseModel, ConfigDict, Field

from boardroom.coordinator.deliberation.voting import SCHEMA as BALLOT
from boardroom.engine.errors import SchemaRefused
from boardroom.engine.lorax.driver import LoraxEngine
from boardroom.engine.openai.driver import StandardEngine


class Stance(enum.Enum):
    SUPPORT = "support"
    OPPOSE = "oppose"


class Step(BaseModel):
    title: str
    hours: int
    done: bool = False


class Plan(BaseModel):
    """A model as people write it."""

    model_config = ConfigDict(extra="forbid")

    stance: Stance
    summary: Annotated[str, Field(description="Two sentences.")]
    condition: str | None
    steps: list[Step]
    kind: Literal["motion", 3]


class Optionals(BaseModel):
    name: str
    nickname: str | None = None
    tags: list[str] = []
    budget: float = 0.0


class Dated(BaseModel):
    day: dt.date
    at: dt.datetime
    key: uuid.UUID


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Pet(BaseModel):
    animal: Annotated[Cat | Dog, Field(discriminator="kind")]
    weights: dict[str, float]


class Node(BaseModel):
    name: str
    children: list["Node"] = []


TEXT: dict[str, Any] = {"type": "string"}


def demanding(**properties: Any) -> dict[str, Any]:
    """An object that requires each of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def texts(count: int, **more: Any) -> dict[str, Any]:
    """An object of so many texts."""
    return {"type": "object", "properties": {f"field_{number}": TEXT for number in range(count)}, **more}


OURS: dict[str, Mapping[str, Any]] = {"a ballot": BALLOT, "json_object": {"type": "object"}}
"""What the board itself sends."""

TAKEN: dict[str, Mapping[str, Any]] = {
    "a pydantic model": Plan.model_json_schema(),
    "a pydantic model with defaults": Optionals.model_json_schema(),
    "dates and a UUID": Dated.model_json_schema(),
    "a discriminated union and a dictionary": Pet.model_json_schema(),
    "a list of types": demanding(condition={"type": ["string", "null"]}),
    "a list of types with a format": demanding(until={"type": ["null", "string"], "format": "date"}),
    "anyOf with null": demanding(condition={"anyOf": [TEXT, {"type": "null"}]}),
    "allOf of one reference": {"$defs": {"S": {"enum": ["a", "b"]}}, **demanding(s={"allOf": [{"$ref": "#/$defs/S"}]})},
    "definitions of draft 7": {"definitions": {"a/b": TEXT}, **demanding(s={"$ref": "#/definitions/a~1b"})},
    "annotations": {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A", **demanding(a=TEXT)},
    "oneOf of types": demanding(value={"oneOf": [TEXT, {"type": "integer"}, {"type": "null"}]}),
    "an object that no more may be added to": demanding(a=TEXT) | {"additionalProperties": False},
    "an object that must be empty": {"type": "object", "additionalProperties": False},
    "no type, but properties": {"properties": {"a": TEXT}, "required": ["a"]},
    "values of every kind": {"enum": ["a", "é", '"\n\\', 1, 2.5, None, True, "", "a.*b"]},
    "a const beside its type": demanding(kind={"type": "string", "const": "motion"}),
    "names beyond ASCII": demanding(**{"größe in cm": TEXT, "x-y": TEXT, "説明": TEXT}),
    "five texts, none required": texts(5),
    "seventeen texts, all required": texts(17, required=[f"field_{number}" for number in range(17)]),
    "twelve texts, one required": texts(12, required=["field_3"]),
    "objects in lists in objects": demanding(
        rows={"type": "array", "items": demanding(cells={"type": "array", "items": TEXT})}
    ),
    "a text alone": TEXT,
}
"""By both kinds of engine."""


class Refusal(NamedTuple):
    """Where, and what is said; `library` is what LoRAX's would do: refuse it, let through what does not satisfy it, or
    grow beyond what may be compiled. `nothing`: it would take this one, and not others of its kind.
    """

    schema: dict[str, Any]
    path: str
    words: str
    library: Literal["refuses", "lets through", "grows", "nothing"]


REFUSED: dict[str, Refusal] = {
    "format email": Refusal(
        demanding(when={"type": "string", "format": "email"}),
        "properties.when.format",
        "date-time, date, uuid",
        "refuses",
    ),
    "format uri": Refusal({"type": "string", "format": "uri"}, "format", "leave it out", "refuses"),
    "format time": Refusal({"type": "string", "format": "time"}, "format", "leave it out", "lets through"),
    "not": Refusal({"not": TEXT}, "not", "leave it out", "refuses"),
    "if": Refusal({"if": TEXT, "then": TEXT}, "if", "leave it out", "refuses"),
    "an unknown type": Refusal({"type": "text"}, "type", "the types are object", "refuses"),
    "a reference to nowhere": Refusal(demanding(a={"$ref": "#/$defs/A"}), "properties.a.$ref", "nothing at", "refuses"),
    "a reference to elsewhere": Refusal({"$ref": "https://example.com/a.json"}, "$ref", "within the schema", "refuses"),
    "a schema in itself": Refusal(
        Node.model_json_schema(), "$ref.properties.children.items.$ref", "contains itself", "refuses"
    ),
    "minItems above maxItems": Refusal(
        {"type": "array", "items": TEXT, "minItems": 3, "maxItems": 1}, "minItems", "look at the answer", "refuses"
    ),
    "a list without items": Refusal(demanding(a={"type": "array"}), "properties.a", "items is missing", "nothing"),
    "values that are lists": Refusal({"enum": [["a"]]}, "enum", "write what it is by type", "refuses"),
    "no values": Refusal({"enum": []}, "enum", "a list of values", "refuses"),
    "a const that is an object": Refusal({"const": {"a": 1}}, "const", "write what it is by type", "refuses"),
    "a dictionary of what is not": Refusal(
        {"type": "object", "additionalProperties": {"not": {}}}, "additionalProperties.not", "leave it out", "refuses"
    ),
    "anything": Refusal(demanding(a={}), "properties.a", "nothing of the type", "grows"),
    "a list of anything": Refusal({"type": "array", "items": {}}, "items", "nothing of the type", "grows"),
    "maxLength": Refusal({"type": "string", "maxLength": 100}, "maxLength", "stands still", "grows"),
    "maxItems": Refusal(
        {"type": "array", "items": demanding(a=TEXT), "maxItems": 40}, "maxItems", "stands still", "grows"
    ),
    "minLength": Refusal({"type": "string", "minLength": 200}, "minLength", "stands still", "grows"),
    "pattern": Refusal({"type": "string", "pattern": "^[a-z]{9}$"}, "pattern", "stands still", "nothing"),
    "minimum": Refusal(
        demanding(a={"type": "number", "minimum": 0}), "properties.a.minimum", "does not hold", "lets through"
    ),
    "multipleOf": Refusal({"type": "integer", "multipleOf": 7}, "multipleOf", "does not hold", "lets through"),
    "uniqueItems": Refusal(
        {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True},
        "uniqueItems",
        "does not hold",
        "lets through",
    ),
    "a required name without a property": Refusal(
        demanding(a=TEXT) | {"required": ["a", "b"]}, "required", "'b' is not in", "lets through"
    ),
    "beside anyOf": Refusal(
        {"anyOf": [TEXT, {"type": "integer"}], "type": "string"}, "type", "beside anyOf", "lets through"
    ),
    "beside a reference": Refusal(
        {"$defs": {"A": {"enum": ["a", "b"]}}, "$ref": "#/$defs/A", "const": "b"}, "const", "beside $ref", "nothing"
    ),
    "oneOf that overlaps": Refusal(
        {"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf", "write anyOf", "lets through"
    ),
    "allOf of two": Refusal({"allOf": [TEXT, {"enum": ["a"]}]}, "allOf", "write them as one", "lets through"),
    "a value of another type": Refusal(
        {"type": "integer", "enum": [1, "a"]}, "enum", "'a' is of no type", "lets through"
    ),
    "a name that is an expression": Refusal(
        {"type": "object", "properties": {"a(b": TEXT}}, "properties.a(b", "rename it", "refuses"
    ),
    "a name with a quote": Refusal(demanding(**{'a"b': TEXT}), 'properties.a"b', "rename it", "lets through"),
    "eight texts, none required": Refusal(texts(8), "properties", "at most 5", "nothing"),
    "forty texts": Refusal(texts(40, required=["field_39"]), "", "at most 512", "grows"),
    "a thousand values": Refusal(
        {"enum": [f"value {number} of many" for number in range(1000)]}, "", "at most 512", "grows"
    ),
}
"""By LoRAX."""


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def doubling(levels: int) -> dict[str, Any]:
    """References that are twice as many schemas with each level."""
    definitions = {
        f"L{n}": demanding(a={"$ref": f"#/$defs/L{n - 1}"}, b={"$ref": f"#/$defs/L{n - 1}"}) for n in range(1, levels)
    }
    return {"$defs": {"L0": TEXT} | definitions, "$ref": f"#/$defs/L{levels - 1}"}


BY_NOBODY: dict[str, tuple[dict[str, Any], str]] = {
    "300 levels": (nested(300), "deeper than 32 levels"),
    "80,000 bytes": ({"type": "string", "description": "x" * 80_000}, "at most 65536"),
}

COUNTED: dict[str, tuple[dict[str, Any], str]] = {
    "references that double": (doubling(14), "more than 1000 schemas"),
    "twelve lists in lists": (nested(12), "characters of a regular expression"),
}


@pytest.mark.parametrize("name", [*OURS, *TAKEN])
def test_it_is_taken_by_every_engine(name: str) -> None:
    schema = (OURS | TAKEN)[name]
    assert LoraxEngine.schema(schema)
    assert StandardEngine.schema(schema) == schema


@pytest.mark.parametrize("name", REFUSED)
def test_lorax_is_never_sent_it_and_standard_inference_is(name: str) -> None:
    schema, path, words, _ = REFUSED[name]
    with pytest.raises(SchemaRefused) as refusal:
        LoraxEngine.schema(schema)
    assert (refusal.value.path, words in str(refusal.value)) == (path, True), str(refusal.value)
    assert StandardEngine.schema(schema) == schema


@pytest.mark.parametrize("name", BY_NOBODY)
@pytest.mark.parametrize("engine", [LoraxEngine, StandardEngine])
def test_no_engine_is_sent_it(engine: type[LoraxEngine | StandardEngine], name: str) -> None:
    schema, words = BY_NOBODY[name]
    with pytest.raises(SchemaRefused, match=words):
        engine.schema(schema)


@pytest.mark.parametrize("name", COUNTED)
def test_what_grows_when_it_is_written_out_is_refused(name: str) -> None:
    schema, words = COUNTED[name]
    with pytest.raises(SchemaRefused, match=words):
        LoraxEngine.schema(schema)
