"""Kubernetes quantities: `500m`, `16Gi`, and whole numbers, which YAML writes without quotes."""

import math
import re
from fractions import Fraction
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema

from boardroom.api.model import rule, rules

_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
_MAX_LENGTH: Final = 32
_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = ("m", "", "k", "M", "G", "T", "P", "E")
_THOUSANDTH: Final = Fraction(1, 1000)
_UNITS: Final = {
    **{unit: Fraction(1024) ** power for power, unit in enumerate(_BINARY)},
    **{unit: Fraction(1000) ** power * _THOUSANDTH for power, unit in enumerate(_DECIMAL)},
}

INT_OR_STRING: Final[dict[str, Any]] = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
    "pattern": _PATTERN,
    "maxLength": _MAX_LENGTH,
    "minimum": 0,
}
"""The schema of a quantity, as in Kubernetes' own CRDs, with bounds. Pattern and length apply to the text."""


def cel_quantity(field: str) -> str:
    """A field as a quantity in CEL. API servers before 1.36 cost each function as if the text filled a request."""
    return f"(type({field}) == int ? quantity('0').add({field}) : quantity({field}))"


def quantity_value(quantity: str) -> Fraction:
    """The number of a quantity. Raises ValueError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)", quantity)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{quantity!r} is not a quantity")
    return Fraction(match[1]) * _UNITS[match[2]]


def quantity_bytes(quantity: str) -> int:
    """The number of a quantity as an integer, rounded up; for example bytes."""
    return math.ceil(quantity_value(quantity))


def canonical(quantity: str) -> str:
    """A quantity in the form that the API server returns, so that our own value never looks like an edit."""
    value = quantity_value(quantity)
    binary = quantity.endswith("i") and value >= _UNITS["Ki"] and value.denominator == 1
    units = _BINARY if binary else _DECIMAL
    value = Fraction(math.ceil(value / _UNITS[units[0]]) * _UNITS[units[0]])
    fitting = [unit for unit in units if (value / _UNITS[unit]).denominator == 1]
    return f"{value / _UNITS[fitting[-1]]}{fitting[-1]}" if value else "0"


def _text(value: Any) -> Any:
    """An integer as text, so that readers of the models meet one type."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_MAX_LENGTH, pattern=_PATTERN),
    BeforeValidator(_text),
    AfterValidator(canonical),
]

Quantity = Annotated[_Text, WithJsonSchema(INT_OR_STRING)]
"""A Kubernetes quantity such as 500m, 4 or 16Gi."""

_ABOVE_ZERO: Final = rule(
    "type(self) == int ? self > 0 : !isQuantity(self) || quantity(self).isGreaterThan(quantity('0'))",
    "give more than 0, as in 1Gi",
)

Size = Annotated[_Text, WithJsonSchema(INT_OR_STRING | rules(_ABOVE_ZERO))]
"""A quantity of bytes that is not 0."""
