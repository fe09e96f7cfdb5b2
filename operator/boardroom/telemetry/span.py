"""Types of spans that callers, the tracer and its OpenTelemetry implementation share."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

Value = str | int | float | bool
"""The value of an attribute."""


class TracingError(ValueError):
    """The environment requests an unsupported feature. The message names the variable and its values."""


class Kind(StrEnum):
    """A span's side of a call, by OpenTelemetry's names."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    INTERNAL = "INTERNAL"


class Span(Protocol):
    """A traced operation, from its start to `end`."""

    def note(self, attributes: Mapping[str, Value | None]) -> None:
        """Add attributes. None values are omitted."""

    def failed(self, code: str) -> None:
        """Mark the operation as failed. `code` is one of ours: an error's own text may quote a prompt."""

    def end(self) -> None:
        """End the span. A second call changes nothing."""
