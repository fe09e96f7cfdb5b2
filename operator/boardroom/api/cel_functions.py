"""The functions of CEL and of Kubernetes' CEL libraries that our rules use."""

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from typing import Annotated, Any, Final

from pydantic import StringConstraints, TypeAdapter, ValidationError

from boardroom.api.quantity import quantity_value


class EvaluationError(Exception):
    """A rule can't be evaluated on an object. The API server counts it as violated."""


@cache
def _pattern(pattern: str) -> TypeAdapter[str]:
    """A pattern in pydantic's regex engine, which agrees with RE2 about our patterns."""
    return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])


def matches(text: str, pattern: str) -> bool:
    """Whether the text contains a match of the pattern."""
    try:
        _pattern(pattern).validate_python(text, strict=True)
    except ValidationError:
        return False
    return True


def _quantity(text: str) -> Fraction:
    try:
        return quantity_value(text)
    except ValueError as error:
        raise EvaluationError(str(error)) from error


def _is_quantity(text: str) -> bool:
    try:
        quantity_value(text)
    except ValueError:
        return False
    return True


def _compared(left: Fraction, right: Fraction) -> int:
    return (left > right) - (left < right)


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "quantity": _quantity,
    "isQuantity": _is_quantity,
    "type": type,
}
METHODS: Final[Mapping[str, Callable[..., Any]]] = {
    "size": len,
    "matches": matches,
    "contains": operator.contains,
    "startsWith": str.startswith,
    "split": str.split,
    "add": operator.add,
    "isGreaterThan": operator.gt,
    "compareTo": _compared,
}
_OPERATORS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda item, holder: item in holder,
    "+": operator.add,
    "-": operator.sub,
}


def infix(sign: str) -> Callable[[Any, Any], Any]:
    """The function of an infix operator."""
    return _OPERATORS[sign]
