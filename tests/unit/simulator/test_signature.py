"""The signature of an answer."""

import re

import pytest

from boardroom.simulator.model_server.signature import signature

WEIGHTS = ("salt", "m", "/models/ceo", "sha256:1")


def test_a_signature_is_16_hex_digits_and_always_the_same() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", signature(*WEIGHTS))
    assert signature(*WEIGHTS) == signature(*WEIGHTS)


@pytest.mark.parametrize("part", range(4))
def test_a_signature_is_another_where_any_part_is(part: int) -> None:
    other = [*WEIGHTS]
    other[part] += "x"
    assert signature(*other) != signature(*WEIGHTS)


def test_parts_do_not_run_into_each_other() -> None:
    assert signature("s", "m", "ab", "c") != signature("s", "m", "a", "bc")


def test_an_id_that_is_no_unicode_has_one() -> None:
    assert signature("s", "m", "\ud800", "") != signature("s", "m", "", "")
