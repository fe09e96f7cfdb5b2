"""Quantities as numbers and as texts."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from boardroom.api.quantity import Quantity, quantity_bytes

ADAPTER: TypeAdapter[str] = TypeAdapter(Quantity)


@pytest.mark.parametrize(("given", "text"), [(4, "4"), ("4", "4"), (68719476736, "68719476736"), ("64Gi", "64Gi")])
def test_a_number_is_the_text_that_says_it(given: Any, text: str) -> None:
    assert ADAPTER.validate_python(given) == text


@pytest.mark.parametrize("given", [0.5, True, -1, "-1", "", "1GB", "1 Gi", None])
def test_what_is_no_quantity_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(given)


@pytest.mark.parametrize(
    ("quantity", "number"), [("1", 1), ("1500m", 2), ("1k", 1000), ("1Ki", 1024), ("1.5Gi", 1610612736), ("0", 0)]
)
def test_the_number_that_a_quantity_stands_for_is_rounded_up(quantity: str, number: int) -> None:
    assert quantity_bytes(quantity) == number


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (64000000000, "64G"), ("1000m", "1"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("1.5", "1500m"), ("0.5", "500m"),
        ("1.5G", "1500M"), ("0.1Gi", "107374182400m"), ("0.0001", "1m"), ("0Gi", "0"), ("1023Ki", "1023Ki"),
        ("0.5Ki", "512"), ("12345.6789M", "12345678900"), ("7Ei", "7Ei"), ("1.0", "1"),
    ],
)  # fmt: skip
def test_a_quantity_is_said_as_the_api_server_says_it(given: Any, text: str) -> None:
    """All of these were given to a real one, and read back."""
    assert ADAPTER.validate_python(given) == text
