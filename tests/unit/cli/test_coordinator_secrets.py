"""Secrets reach the coordinator as environment variables."""

import pytest

from boardroom.cli.coordinator import secret


@pytest.mark.parametrize(
    ("value", "expected"), [("sk-1\n", "sk-1"), ("sk-1\r\n", "sk-1"), (" sk 1 ", " sk 1 "), ("", "")]
)
def test_a_secret_made_from_a_file_loses_its_line_end_and_nothing_else(value: str, expected: str) -> None:
    assert secret({"KEY": value}, "KEY") == expected


def test_a_secret_that_is_not_there_is_empty() -> None:
    assert secret({}, "KEY") == ""
