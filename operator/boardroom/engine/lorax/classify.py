"""Turns LoRAX's failures into errors, by status and text (docs/lorax.md#errors-by-text). Pure."""

from typing import Final

import msgspec

from boardroom.engine.errors import (
    AdapterFailed,
    AdapterFault,
    BadResponse,
    EngineError,
    GenerationFailed,
    InvalidRequest,
    Overloaded,
    TemplateFailed,
    Unhealthy,
    one_line,
)

_ADAPTER_TEXTS: Final = (
    ("No local weights found in", AdapterFault.MISSING),
    ("No valid adapter config file found", AdapterFault.MISSING),
    ("is not compatible with model", AdapterFault.INCOMPATIBLE),
    ("is larger than adapter memory reservation", AdapterFault.TOO_LARGE),
    ("Memory reserved for adapters is 0", AdapterFault.REFUSED),
    ("does not support adapter loading", AdapterFault.REFUSED),
    ("does not support dynamic adapter loading", AdapterFault.REFUSED),
    ("when downloading adapter", AdapterFault.REFUSED),
    ("when loading adapter", AdapterFault.REFUSED),
)
"""Texts of adapter failures. Their status is 424 `generation`, as of a failed forward pass; only the text differs."""

_SCHEMA_TEXTS: Final = (
    "is not supported by Outlines",
    "Could not translate the instance",
    "Unsupported JSON Schema",
    "Unsupported data type in",
    "Invalid JSON Schema",
    "Invalid reference path",
    "PointerToNowhere",
    "'type' must be a string",
    "The vocabulary does not allow us to build a sequence",
)
"""Texts in which LoRAX's libraries refuse a schema. The status is that of a failed forward pass, and a retry fails."""


class _Refusal(msgspec.Struct):
    error: str
    error_type: str = ""


_DECODER: Final = msgspec.json.Decoder(_Refusal)

_STATUS: Final = {
    "generation": 424,
    "overloaded": 429,
    "validation": 422,
    "template_error": 422,
    "tool_error": 422,
    "incomplete_generation": 500,
    "unhealthy": 503,
    "healthcheck": 503,
}
"""The status that each error type has outside of streams; inside a stream it is always 200."""


def classify(status: int, body: bytes) -> EngineError:
    """Return the error that a response with this status (not 2xx) means."""
    text, kind = _read(body)
    return _error(status, text or f"HTTP {status} without a text", kind)


def classify_event(text: str, kind: str) -> EngineError:
    """Return the error that an event `{"error": text, "error_type": kind}` of a stream means."""
    return _error(_STATUS.get(kind, 500), one_line(text) or f"an error of type {one_line(kind)!r} without a text", kind)


def _error(status: int, cause: str, kind: str) -> EngineError:
    match status:
        case 429:
            error: EngineError = Overloaded(cause)
        case 424:
            error = adapter_failure(cause) or _schema_failure(cause) or GenerationFailed(cause)
        case 422 if kind == "template_error":
            error = TemplateFailed(cause)
        case 422:
            error = InvalidRequest(cause)
        case 400 | 413 | 415:
            error = InvalidRequest(f"HTTP {status}: {cause}")
        case 503:
            error = Unhealthy(cause)
        case 500 if kind:
            error = GenerationFailed(cause)
        case _:
            error = BadResponse(f"HTTP {status}: {cause}")
    return error


def adapter_failure(cause: str) -> AdapterFailed | None:
    """Return the adapter failure that a text of LoRAX means; None if it means another failure."""
    return next((AdapterFailed(fault, cause) for text, fault in _ADAPTER_TEXTS if text in cause), None)


def _schema_failure(cause: str) -> InvalidRequest | None:
    refused = any(text in cause for text in _SCHEMA_TEXTS)
    return InvalidRequest(f"LoRAX refuses the schema of response_format: {cause}") if refused else None


def _read(body: bytes) -> tuple[str, str]:
    """Return text and error_type. LoRAX answers a body that it cannot parse in plain text."""
    try:
        refusal = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return one_line(body.decode("utf-8", "replace")), ""
    return one_line(refusal.error), refusal.error_type
