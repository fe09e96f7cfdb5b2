"""LoRAX's refusals, told apart by status and text (LORAX.md, "HTTP"); everything here is pure."""

from typing import Final

import msgspec

from boardroom.engine.errors import (
    AdapterFailed,
    AdapterFault,
    BadResponse,
    EngineError,
    FieldNotTaken,
    GenerationFailed,
    InvalidRequest,
    Overloaded,
    Refused,
    TemplateFailed,
    Unhealthy,
)

MAX_CAUSE_CHARS: Final = 600

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
"""Every adapter failure is 424 `generation`: only its text tells it from a failed forward pass."""


class _Refusal(msgspec.Struct):
    error: str
    error_type: str = ""


class _OpenAIError(msgspec.Struct):
    message: str
    code: object = None
    param: object = None


class _OpenAIRefusal(msgspec.Struct):
    error: _OpenAIError


_DECODER: Final = msgspec.json.Decoder(_Refusal)
_OPENAI: Final = msgspec.json.Decoder(_OpenAIRefusal)
_NOT_TAKEN: Final = ("unsupported_parameter", "unsupported_value")


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
"""The status that a whole answer would have had: inside a stream it is 200 whatever happens."""


def classify(status: int, body: bytes) -> EngineError:
    """The error that an answer with this status (not 2xx) stands for."""
    text, kind = _read(body)
    return _error(status, text or f"HTTP {status} without a text", kind)


def classify_openai(status: int, body: bytes) -> EngineError:
    """The same for a server that answers as OpenAI does: {"error": {"message"}}, or whatever its proxy says."""
    try:
        error = _OPENAI.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        error = _OpenAIError(message=body.decode("utf-8", "replace"))
    cause = f"standard inference: {clean(error.message) or 'no text'} (HTTP {status})"
    match status:
        case 400 if error.code in _NOT_TAKEN and isinstance(error.param, str):
            found: EngineError = FieldNotTaken(cause, error.param)
        case 401 | 403:
            found = Refused(f"{cause}; check spec.standardInference.apiKeySecretRef")
        case 404:
            found = InvalidRequest(f"{cause}; check spec.standardInference.url and model")
        case 429:
            found = Overloaded(cause)
        case 503 | 502 | 504:
            found = Unhealthy(cause)
        case _ if 400 <= status < 500:  # noqa: PLR2004 (the client's errors)
            found = InvalidRequest(cause)
        case _:
            found = GenerationFailed(cause)
    return found


def openai_refusal(event: bytes) -> EngineError | None:
    """The error in an event of a stream, if it is one of OpenAI's shape."""
    try:
        return GenerationFailed(f"standard inference: {clean(_OPENAI.decode(event).error.message)}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def classify_event(text: str, kind: str) -> EngineError:
    """The error that an event `{"error": text, "error_type": kind}` inside a stream stands for."""
    return _error(_STATUS.get(kind, 500), clean(text) or f"an error of type {clean(kind)!r} without a text", kind)


def _error(status: int, cause: str, kind: str) -> EngineError:
    match status:
        case 429:
            error: EngineError = Overloaded(cause)
        case 424:
            error = adapter_failure(cause) or GenerationFailed(cause)
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
    """The adapter failure that a text of LoRAX stands for, if it does."""
    return next((AdapterFailed(fault, cause) for text, fault in _ADAPTER_TEXTS if text in cause), None)


def _read(body: bytes) -> tuple[str, str]:
    """Text and error_type; LoRAX's rejected bodies are plain text."""
    try:
        refusal = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return clean(body.decode("utf-8", "replace")), ""
    return clean(refusal.error), refusal.error_type


def clean(text: str) -> str:
    """A foreign text as one bounded line: it goes into answers, conditions and logs."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MAX_CAUSE_CHARS]).split())
    return line if len(line) <= MAX_CAUSE_CHARS else line[: MAX_CAUSE_CHARS - 1] + "…"
