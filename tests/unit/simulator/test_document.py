"""response_format: what comes out is of the schema, whatever that asks for."""

import datetime as dt
import enum
import itertools
import json
import re
import uuid
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from boardroom.simulator.entry import Sampling
from boardroom.simulator.json_schema.document import document
from boardroom.simulator.json_schema.text import SchemaError
from boardroom.simulator.model_server.answer import Author
from boardroom.simulator.tokenizer.simple import SimpleTokenizer


class Stance(enum.Enum):
    SUPPORT = "support"
    OPPOSE = "oppose"


class Step(BaseModel):
    id: Annotated[str, Field(pattern=r"^[A-Z][a-z]{2,5}-\d{3}$")]
    after: list["Step"] = []


class Position(BaseModel):
    """One of everything that pydantic makes a schema of."""

    model_config = ConfigDict(extra="forbid")

    position: Stance
    confidence: Annotated[float, Field(ge=0, le=1)]
    even: Annotated[int, Field(gt=3, lt=9, multiple_of=2)]
    rationale: Annotated[str, Field(min_length=5, max_length=40)]
    condition: str | None
    day: dt.date
    at: dt.datetime
    key: uuid.UUID
    steps: Annotated[list[Step], Field(min_length=2, max_length=4)]
    pair: tuple[int, str]
    votes: dict[str, int]
    kind: Literal["motion", 3]
    marks: set[int]


def bytes_of(seed: int) -> Iterator[int]:
    return itertools.cycle(seed.to_bytes(8, "little") + bytes(range(seed % 251)))


def made(schema: object, seed: int = 5) -> object:
    return document(schema, bytes_of(seed), itertools.cycle(["First words.", " And more."]))


@given(st.integers(min_value=0, max_value=2**63))
def test_whatever_the_chance_a_model_reads_what_its_own_schema_made(seed: int) -> None:
    text = json.dumps(made(Position.model_json_schema(), seed))
    assert json.loads(Position.model_validate_json(text).model_dump_json()).keys() == json.loads(text).keys()


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 7}, 7),
        ({"type": "null"}, None),
        ({"enum": ["only"]}, "only"),
        (True, "First words."),
        ({}, "First words."),
        ({"type": ["null", "string"]}, "First words."),
        ({"maxLength": 5}, "First"),
        ({"minLength": 15}, "First words. And more."),
        ({"type": "integer", "minimum": 3, "maximum": 3}, 3),
        ({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 1.02}, 1.01),
        ({"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 20}, 14),
        ({"type": "array", "items": {"const": 1}, "minItems": 5, "maxItems": 5}, [1, 1, 1, 1, 1]),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "items": False}, [1, 2]),
        ({"type": "object"}, {"answer": "First words."}),
        ({"type": "object", "maxProperties": 0}, {}),
        ({"properties": {"a": {"const": 1}, "b": {"const": 2}}}, {"a": 1, "b": 2}),
        ({"required": ["x"], "additionalProperties": {"const": 0}}, {"x": 0}),
        ({"properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["b"], "maxProperties": 1}, {"b": 2}),
        ({"$defs": {"n": {"const": 9}}, "$ref": "#/$defs/n"}, 9),
        (
            {"allOf": [{"properties": {"a": {"const": 1}}}, {"required": ["a"]}], "additionalProperties": False},
            {"a": 1},
        ),
        ({"anyOf": [{"type": "null"}, {"const": "x"}]}, "x"),
        ({"oneOf": [{"not": {}}, {"const": "x"}]}, "x"),
        ({"type": "string", "pattern": "^ab{2}$"}, "abb"),
    ],
)
def test_a_schema_with_one_answer_gets_it(schema: object, expected: Any) -> None:
    assert made(schema) == expected


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (False, "nothing satisfies"),
        ("text", "a schema is an object"),
        ({"not": {}}, "`not` is not followed"),
        ({"type": "strnig"}, "there is no type 'strnig'"),
        ({"enum": []}, "`enum` is no list"),
        ({"anyOf": []}, "`anyOf` is empty"),
        ({"$ref": "https://x/y"}, "only references inside"),
        ({"$ref": "#/$defs/x"}, "there is nothing at"),
        ({"$ref": "#"}, "nothing satisfies"),
        ({"properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "does not end"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "no number is between"),
        ({"type": "number", "multipleOf": 0}, "the schema is not valid"),
        ({"type": "string", "pattern": "(?=x)"}, "is not followed"),
        ({"type": "string", "pattern": "x{5000}"}, "beyond 1000"),
        ({"type": "string", "pattern": "((a{999}){999}){999}"}, "more than 20000 steps"),
        ({"type": "string", "pattern": "(" * 5000}, "is not followed"),
        ({"allOf": [{"allOf": []}], "properties": []}, "the schema is not valid"),
        ({"type": "string", "minLength": 10**9}, "beyond 100000"),
        ({"minItems": 3, "items": False}, "`minItems` is more"),
        ({"minItems": 10**9, "type": "array"}, "does not end within"),
        ({"uniqueItems": True, "minItems": 2, "items": {"const": 1}}, "more values than there are"),
        ({"required": ["a"], "additionalProperties": False}, "`additionalProperties` forbids"),
        ({"required": ["a", "b"], "maxProperties": 1}, "more than `maxProperties`"),
        ({"type": "integer", "minimum": "5"}, "the schema is not valid"),
    ],
)
def test_a_schema_that_can_not_be_followed_is_refused(schema: object, said: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(said)):
        made(schema)


def write(schema: object, **sampling: Any) -> tuple[str, str]:
    wanted = Sampling(schema=json.dumps(schema), **{"max_new_tokens": 400, **sampling})
    answer = Author("base", "salt", SimpleTokenizer()).write("p", "Why now?", wanted, "/models/cfo", "sha256:abc")
    return "".join(token.text for token in answer.tokens), answer.finish_reason


def test_the_first_free_text_carries_the_signature_and_the_question() -> None:
    text, reason = write({"properties": {"vote": {"enum": ["yes"]}, "why": {"type": "string"}}})
    parsed = json.loads(text.removesuffix("</s>"))
    assert (parsed["vote"], reason) == ("yes", "eos_token")
    assert re.match(
        r'\[simulated signature=[0-9a-f]{16} /models/cfo@sha256:abc on base\] On "Why now\?":', parsed["why"]
    )


def test_a_document_is_cut_where_the_tokens_end() -> None:
    assert write({"const": "abcdefghijklmnop"}, max_new_tokens=2) == ('"abcdefgh', "length")


def test_behind_its_end_there_is_only_the_end() -> None:
    assert write({"const": 1}, max_new_tokens=4, ignore_eos=True) == ("1</s></s></s>", "length")


def test_the_document_depends_on_prompt_seed_and_weights() -> None:
    schema = json.dumps({"properties": {"n": {"type": "integer"}, "m": {"type": "number"}}})
    author = Author("base", "salt", SimpleTokenizer())

    def wrote(prompt: str, seed: int | None, digest: str) -> str:
        sampling = Sampling(max_new_tokens=400, schema=schema, sampled=seed is not None, seed=seed)
        return "".join(token.text for token in author.write(prompt, "", sampling, "a", digest).tokens)

    texts = {wrote("p", 1, "d"), wrote("p", 1, "d"), wrote("p", 2, "d"), wrote("q", 1, "d"), wrote("p", 1, "e")}
    assert len(texts) == 4
