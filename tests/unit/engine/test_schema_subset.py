"""Whatever is asked for, LoRAX's subset of it is one, or the refusal says where and why."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boardroom.engine.errors import MAX_PATH_CHARS, MAX_WHY_CHARS, SchemaRefused
from boardroom.engine.lorax.schema_cost import MAX_COST, schema_cost
from boardroom.engine.lorax.schema_subset import subset

TYPES = ["object", "array", "string", "integer", "number", "boolean", "null"]
WORDS = [*TYPES, "date", "uuid", "a", "b", "#", "#/$defs/a"]
KEYWORDS = [
    "type", "enum", "const", "properties", "required", "items", "anyOf", "oneOf", "allOf", "$ref", "$defs", "format",
    "additionalProperties", "title", "minimum", "maxLength",
]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(WORDS)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=20,
)
typed = st.sampled_from(TYPES).map(lambda kind: {"type": kind})
likely = st.recursive(
    typed | st.lists(scalars, min_size=1, max_size=3).map(lambda values: {"enum": values}),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
        | st.lists(inner, min_size=1, max_size=3).map(lambda options: {"oneOf": options})
        | inner.map(lambda items: {"type": ["array", "null"], "items": items})
        | inner.map(lambda values: {"type": "object", "additionalProperties": values})
        | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3).map(
            lambda properties: {"properties": properties, "required": list(properties)[:1], "title": "T"}
        )
    ),
    max_leaves=8,
)


def tried(schema: dict[str, Any]) -> dict[str, Any] | SchemaRefused:
    try:
        return dict(subset(schema))
    except SchemaRefused as refusal:
        return refusal


@given(st.dictionaries(st.sampled_from(KEYWORDS), anything, max_size=4) | likely)
def test_it_is_a_subset_or_a_refusal(schema: dict[str, Any]) -> None:
    made = tried(schema)
    if isinstance(made, SchemaRefused):
        assert (len(made.path) <= MAX_PATH_CHARS, 0 < len(made.why) <= MAX_WHY_CHARS) == (True, True)
    else:
        assert subset(made) == made
        assert schema_cost(made).states <= MAX_COST.states
        assert schema_cost(made).characters <= MAX_COST.characters


def chain(length: int) -> dict[str, Any]:
    """References, each to the next."""
    links: dict[str, Any] = {f"L{n}": {"$ref": f"#/$defs/L{n + 1}"} for n in range(length)}
    return {"$defs": links | {f"L{length}": {"type": "string"}}, "$ref": "#/$defs/L0"}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (chain(900), "deeper than 64 steps"),
        ({"oneOf": [{"const": number} for number in range(40)]}, "at most 32 alternatives"),
        ({"type": "x" * 5000}, "there is no type 'xxx"),
        ({"properties": {"x" * 5000: {"type": "string"}}}, "rename it"),
        ({"enum": [1], "type": {"a": 1}}, "is of no type"),
        ({"properties": 5, "required": ["a"]}, "an object of schemas"),
        ({"required": "a", "properties": {"a": {"type": "null"}}}, "a list of names"),
        ({"anyOf": {}}, "a list of schemas"),
        ({"type": []}, "name a type"),
        ({"items": True}, "nothing of the type"),
        ({"type": "string", "items": {"type": "null"}}, "can't hold an answer to it here"),
    ],
)
def test_what_is_no_schema_is_refused_in_bounded_words(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(SchemaRefused) as refusal:
        subset(schema)
    assert (words in refusal.value.why, len(str(refusal.value)) < 700) == (True, True), refusal.value
