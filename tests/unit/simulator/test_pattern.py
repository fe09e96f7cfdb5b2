"""Texts for a schema's `pattern`."""

import itertools
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boardroom.simulator.json_schema.pattern import PatternError, matching


def bytes_of(seed: int) -> Iterator[int]:
    return itertools.cycle(seed.to_bytes(8, "little") + bytes(range(seed % 251)))


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{3}-\d{4}$",
        r"^(yes|no)$",
        r"[^a-z\s]+",
        r"(?:ab)*c?",
        r"(?P<year>20\d\d)/x{1,2}",
        r"^[\w.+-]+@[a-z]+\.(com|org)$",
        r"\u0041\x42\.",
        r"a|b|",
        r"^[]x]$",
        r"(a(b|c){2}){2}",
        r"x{2,}?",
    ],
)
@given(seed=st.integers(min_value=0, max_value=2**63))
def test_a_text_is_made_for_a_pattern(pattern: str, seed: int) -> None:
    assert re.search(pattern, matching(pattern, bytes_of(seed))) is not None


@pytest.mark.parametrize("pattern", ["(a", "[a", "a)", "*a", r"(a)\1", "(?<=a)b", "a{3,2}"])
def test_a_pattern_that_is_not_followed_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        matching(pattern, bytes_of(1))
