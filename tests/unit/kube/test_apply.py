"""The body of an apply: the API server reads it as YAML."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from boardroom.kube.apply import apply_body


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.booleans() | st.none()))
def test_yaml_reads_what_was_written(obj: dict[str, Any]) -> None:
    assert yaml.safe_load(apply_body(obj)) == obj


@pytest.mark.parametrize("character", ["\x7f", "\x85", "\u2028", "\ufeff", "\uffff", "\U0001f600"])
def test_characters_that_yaml_does_not_print_survive(character: str) -> None:
    assert yaml.safe_load(apply_body({"a": f"x{character}y"})) == {"a": f"x{character}y"}
