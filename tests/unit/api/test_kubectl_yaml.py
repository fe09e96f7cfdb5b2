"""What kubectl's YAML makes of a text; how boards are judged by it: tests/tried/test_yaml.py."""

from typing import Any

import pytest

from boardroom.api.kubectl_yaml import YamlError, documents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True), ("on", True), ("Off", False), ("tRUE", "tRUE"), ("'yes'", "yes"), ("~", None), ("NULL", None),
        ("010", 8), ("0o10", 8), ("08", 8), ("0x1F", 31), ("-0b11", -3), ("1_000", 1000), ("+7", 7), ("1e3", 1000),
        ("1.50", 1.5), ("4.0", 4), (".5", 0.5), ("1:30", "1:30"), ("2026-01-31", "2026-01-31"), ("0x", "0x"),
        ("18446744073709551615", 2**64 - 1), ("9" * 5000 + "x", "9" * 5000 + "x"), ("!!str 5", "5"), ("!!int '5'", 5),
        ("!!float 5", 5), ("!mine 5", "5"), ("!!binary bQ==", "m"), ("|\n  a\n", "a\n"),
        ("{a: 1, ? b}", {"a": 1, "b": None}),
        ("[&a 1, &a 2, *a]", [1, 2, 2]), ("{1: a, 1.5: b, yes: c}", {"1": "a", "1.5": "b", "true": "c"}),
        ("{<<: [{a: 1}, {a: 2}], b: 3}", {"a": 1, "b": 3}),
        ("{a: 1, <<: {a: 2}}", {"a": 1}), ('{"a": 1.0, "b": "\\ud83d\\ude00"}', {"a": 1, "b": "😀"}),
        ('{"a": ' + "9" * 5000 + "e-5000}", {"a": float("9" * 300 + "e-300")}),
    ],
)  # fmt: skip
def test_a_text_is_what_kubectl_makes_of_it(text: str, value: Any) -> None:
    assert documents(text) == [value]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "line 2, column 1: the key 'a' is duplicated in one mapping: leave one out"),
        ('{"a": 1, "a": 2}', "the key 'a' is duplicated in one object: leave one out"),
        ('{"a": NaN}', "NaN is not JSON"),
        ("a: .nan", "line 1, column 4: .nan is not a JSON number"),
        ("9" * 5000, "line 1, column 1: 9999"),
        ("&a [*a]", "line 1, column 5: the alias *a is inside the value that it names"),
        ("a: *b", "line 1, column 4: the alias *b has no anchor &b before it"),
        ("!!int x", "line 1, column 1: 'x' is not !!int"),
        ("!!binary '*'", "line 1, column 1: !!binary takes base64 of a text"),
        ("? [a]\n: b", "line 1, column 3: a key must be a text"),
        ("{<<: a}", "line 1, column 6: << takes a mapping, or a list of mappings"),
        ("\ta: b", "line 1, column 1: found character that cannot start any token"),
        ("{'a':" * 100_000, "values are nested too deeply"),
        ('{"a":' * 100_000, "values are nested too deeply"),
        ("[&a [x], " + "".join(f"&b [{'*a, ' * 9}], &a [{'*b, ' * 9}], " for _ in range(5)) + "]", "too many values"),
    ],
)  # fmt: skip
def test_what_is_neither_yaml_nor_json_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(YamlError) as refused:
        documents(text)
    assert said in str(refused.value)


def test_empty_documents_keep_their_number() -> None:
    assert documents("---\n---\na: 1\n---\n# none\n") == [None, {"a": 1}, None]
    assert documents("") == []
